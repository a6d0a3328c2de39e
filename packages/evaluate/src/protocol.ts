/** What was measured and how: hashed into every result, so that only comparable numbers are compared. */
import { createHash } from 'node:crypto';
import { evaluateError } from './errors.js';

export interface Protocol {
  /** Name for people, for example `mini-512`. */
  readonly name: string;
  /** SHA-256 of the text file. */
  readonly textSha256: string;
  /** SHA-256 of tokenizer.json. */
  readonly tokenizerSha256: string;
  /** Tokens of one window, the BOS included. */
  readonly windowLength: number;
  /** Token that starts every window. */
  readonly bos: number;
  /** Positions of a window that are scored, inclusive: position p is predicted from tokens 0..p-1. */
  readonly scored: { readonly first: number; readonly last: number };
  /** Additive value of masked positions. */
  readonly maskValue: number;
  /** Kernels that computed the probabilities, for example `float64-ordered-1`. */
  readonly kernelProfile: string;
}

/** Log-softmax in float64, summed in index order: the profile of `RowComparer`. */
export const KERNEL_PROFILE = 'log-softmax float64, index order, table exp 1';

/** SHA-256 of the protocol as JSON with sorted keys. */
export function protocolHash(protocol: Protocol): string {
  const { scored, ...fields } = protocol;
  const flat = Object.entries({ ...fields, first: scored.first, last: scored.last }).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(flat)).digest('hex');
}

/**
 * Cuts a text into windows of BOS and `length - 1` tokens, without overlap; the remainder is dropped.
 *
 * @param tokenIds the whole text, tokenized without special tokens
 * @throws TundishError EVALUATE_WINDOW_INVALID when length < 2, EVALUATE_TEXT_TOO_SHORT when no window is full
 */
export function windowsOf(tokenIds: ArrayLike<number>, bos: number, length: number): Int32Array[] {
  if (!Number.isInteger(length) || length < 2) {
    throw evaluateError('EVALUATE_WINDOW_INVALID', { what: `a window of ${length} tokens scores nothing`, fix: 'use a window length of 2 or more' });
  }
  const count = Math.floor(tokenIds.length / (length - 1));
  if (count === 0) {
    throw evaluateError('EVALUATE_TEXT_TOO_SHORT', {
      what: `the text has ${tokenIds.length} tokens and one window takes ${length - 1}`,
      fix: 'use a longer text or shorter windows',
    });
  }
  return Array.from({ length: count }, (_, w) => {
    const window = new Int32Array(length);
    window[0] = bos;
    for (let i = 1; i < length; i++) window[i] = tokenIds[w * (length - 1) + i - 1] ?? 0;
    return window;
  });
}
