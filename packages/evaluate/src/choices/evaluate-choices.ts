/** Asks a teacher and any number of students the same multiple-choice questions. */
import { argmax, compareLogits } from '../compare.js';
import { evaluateError } from '../errors.js';
import type { LogitSource } from '../evaluate.js';
import { protocolHash } from '../protocol.js';
import type { Prompt } from './prompts.js';
import { LETTERS } from './question.js';

/** Everything that decides the numbers of a result but the artifact that was measured. */
export interface ChoiceProtocol {
  readonly name: string;
  readonly questionsSha256: string;
  /** Null without examples. */
  readonly examplesSha256: string | null;
  readonly shots: number;
  /** Questions asked, at equal distances over the file. */
  readonly questions: number;
  readonly tokenizerSha256: string;
  readonly teacherSha256: string;
  /** Tokens of the four letters, and whether they begin with a space. */
  readonly letters: readonly number[];
  readonly leadingSpace: boolean;
  /** Most tokens of a prompt. */
  readonly capacity: number;
  readonly maskValue: number;
  readonly kernelProfile: string;
}

export interface ChoiceResult {
  readonly subject: string;
  readonly protocol: ChoiceProtocol;
  readonly protocolHash: string;
  readonly questions: number;
  /** Questions whose prompt had to leave examples out. */
  readonly shortened: number;
  /** Share of right answers with its standard error sqrt(p (1 - p) / (n - 1)), null for one question. */
  readonly accuracy: number;
  readonly accuracyError: number | null;
  readonly teacherAccuracy: number;
  /** Share of questions that student and teacher answer alike, right or wrong; and the number of the others. */
  readonly agreement: number;
  readonly flips: number;
  /** Mean KL(teacher || student) over the four choices, nats. */
  readonly kl: number;
  /** What was answered, one letter a question. */
  readonly answers: string;
}

export interface ChoiceRequest {
  readonly protocol: ChoiceProtocol;
  /** At least one. */
  readonly prompts: readonly Prompt[];
  readonly teacher: LogitSource;
  readonly students: ReadonlyMap<string, LogitSource>;
  readonly signal?: AbortSignal;
  readonly onQuestion?: (done: number, total: number) => void;
}

/**
 * The answer is the letter with the largest logit after the prompt, the first of equal ones.
 *
 * @returns one result per student, in the order of the request
 * @throws TundishError EVALUATE_*; the reason of `signal` when it is aborted between two questions
 */
export async function evaluateChoices(request: ChoiceRequest): Promise<ChoiceResult[]> {
  const { protocol, prompts, teacher, students } = request;
  const tallies = [...students.keys()].map((): Tally => ({ right: 0, teacherRight: 0, flips: 0, kl: 0, answers: '' }));
  for (const [done, { tokens, answer }] of prompts.entries()) {
    request.signal?.throwIfAborted();
    const expected = await letterLogits(teacher, tokens, protocol.letters);
    for (const [index, student] of [...students.values()].entries()) count(tallies[index] as Tally, expected, await letterLogits(student, tokens, protocol.letters), answer);
    request.onQuestion?.(done + 1, prompts.length);
  }
  const hash = protocolHash(protocol);
  const shortened = prompts.filter(({ shots }) => shots < protocol.shots).length;
  return [...students.keys()].map((subject, index) => ({ subject, protocol, protocolHash: hash, questions: prompts.length, shortened, ...figures(tallies[index] as Tally, prompts.length) }));
}

interface Tally {
  right: number;
  teacherRight: number;
  flips: number;
  kl: number;
  answers: string;
}

function count(tally: Tally, teacher: Float32Array, student: Float32Array, answer: number): void {
  const { kl, agree } = compareLogits(teacher, student, answer);
  const chosen = argmax(student);
  tally.kl += kl;
  if (!agree) tally.flips++;
  if (chosen === answer) tally.right++;
  if (argmax(teacher) === answer) tally.teacherRight++;
  tally.answers += LETTERS[chosen];
}

function figures({ right, teacherRight, flips, kl, answers }: Tally, n: number): Pick<ChoiceResult, 'accuracy' | 'accuracyError' | 'teacherAccuracy' | 'agreement' | 'flips' | 'kl' | 'answers'> {
  const accuracy = right / n;
  return { accuracy, accuracyError: n < 2 ? null : Math.sqrt((accuracy * (1 - accuracy)) / (n - 1)), teacherAccuracy: teacherRight / n, agreement: (n - flips) / n, flips, kl: kl / n, answers };
}

/** The logits of the four letters in the row of the last token. */
async function letterLogits(source: LogitSource, tokens: Int32Array, letters: readonly number[]): Promise<Float32Array> {
  const width = source.vocabularySize;
  let rows = 0;
  let found = new Float32Array(letters.length);
  for await (const block of source.score(tokens)) {
    rows += block.length / width;
    found = Float32Array.from(letters, (id) => block[block.length - width + id] ?? NaN);
  }
  if (rows === tokens.length) return found;
  throw evaluateError('EVALUATE_ROWS_MISMATCH', { what: `a source of logits returned ${rows} rows for ${tokens.length} tokens` });
}
