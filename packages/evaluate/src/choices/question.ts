/** A multiple-choice question of MMLU's form. */
export interface Question {
  /** 1-based line of the file on which it begins. */
  readonly line: number;
  /** As MMLU names it, words joined by `_`; null where nothing says what it is about. */
  readonly subject: string | null;
  readonly question: string;
  /** Exactly four. */
  readonly choices: readonly string[];
  /** Index of the right choice. */
  readonly answer: number;
}

/** The answers of MMLU, in the order of the choices. */
export const LETTERS = ['A', 'B', 'C', 'D'] as const;
