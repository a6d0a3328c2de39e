/** The tokens whose logits answer a multiple-choice question. */
import { evaluateError } from '../errors.js';
import { LETTERS } from './question.js';

export interface LetterTokens {
  readonly ids: readonly number[];
  /** Whether the tokens are ` A` to ` D`, as the examples write them, and not `A` to `D`. */
  readonly leadingSpace: boolean;
}

/**
 * The tokens that continue `Answer:`, with the leading space where each letter is one token with it.
 *
 * @param encode text to ids, the same as for the prompts
 * @throws EVALUATE_LETTERS when a letter takes more than one token either way
 */
export function letterTokens(encode: (text: string) => readonly number[]): LetterTokens {
  const prompt = 'Answer:';
  const before = encode(prompt);
  for (const leadingSpace of [true, false]) {
    const ids = LETTERS.flatMap((letter) => {
      const after = encode(`${prompt}${leadingSpace ? ' ' : ''}${letter}`);
      return after.length === before.length + 1 && before.every((id, i) => after[i] === id) ? after.slice(-1) : [];
    });
    if (new Set(ids).size === LETTERS.length) return { ids, leadingSpace };
  }
  throw evaluateError('EVALUATE_LETTERS', { what: `no single token continues ${JSON.stringify(prompt)} with each of ${LETTERS.join(', ')}`, fix: 'this model cannot be asked multiple-choice questions in this way' });
}
