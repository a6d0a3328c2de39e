/** Cuts the tokens of a text into the windows that a protocol scores. */
import { evaluateError } from './errors.js';

/**
 * Where the beginning-of-text token goes: `window` puts it in front of the tokens of every window; `text` once in front of the
 * whole text; `overwrite` too, and in place of the first token of every window.
 */
export type BosPolicy = 'window' | 'text' | 'overwrite';

/** How a text is cut, which positions count and how they are averaged. */
export interface WindowShape {
  /** Tokens of one window, a BOS included. */
  readonly windowLength: number;
  /** Tokens of the text from the start of one window to the start of the next. */
  readonly stride: number;
  readonly bosPolicy: BosPolicy;
  /** Whether a last, shorter window is dropped, or scored as far as it goes. */
  readonly tail: 'drop' | 'keep';
  /** Positions of a window that are scored, inclusive: position p is predicted from tokens 0..p-1. */
  readonly scored: { readonly first: number; readonly last: number };
  /** Mean of all scored positions, or mean over windows of the mean of each, a short one counting as a whole one. */
  readonly mean: 'positions' | 'windows';
}

/**
 * @param tokenIds the whole text, tokenized without special tokens
 * @param bos the token that the policy puts; null for none, which the policy `window` does not allow
 * @throws TundishError EVALUATE_WINDOW_INVALID when a window scores nothing, EVALUATE_TEXT_TOO_SHORT when there is no window
 */
export function windowsOf(tokenIds: readonly number[], shape: WindowShape, bos: number | null): Int32Array[] {
  checkShape(shape);
  const { windowLength, stride, bosPolicy, tail, scored } = shape;
  const ahead = bosPolicy === 'window' ? 1 : 0;
  const text = ahead === 0 && bos !== null ? [bos, ...tokenIds] : tokenIds;
  const windows: Int32Array[] = [];
  for (let start = 0; start < text.length; start += stride) {
    const fresh = text.slice(start, start + windowLength - ahead);
    const short = fresh.length + ahead < windowLength;
    // A tail that does not reach the first scored position would count as a window of nothing.
    if (short && (tail === 'drop' || fresh.length + ahead <= scored.first)) break;
    windows.push(Int32Array.from(ahead === 1 ? [bos ?? 0, ...fresh] : fresh));
  }
  if (bosPolicy === 'overwrite' && bos !== null) for (const window of windows) window[0] = bos;
  if (windows.length > 0) return windows;
  throw evaluateError('EVALUATE_TEXT_TOO_SHORT', {
    what: `the text has ${text.length} tokens and one window takes ${windowLength - ahead}`,
    fix: 'use a longer text, or a protocol with shorter windows',
  });
}

/** @throws EVALUATE_WINDOW_INVALID */
export function checkShape({ windowLength, stride, scored }: WindowShape): void {
  const whole = Number.isInteger(windowLength) && Number.isInteger(stride) && stride >= 1;
  if (whole && scored.first >= 1 && scored.first <= scored.last && scored.last < windowLength) return;
  throw evaluateError('EVALUATE_WINDOW_INVALID', {
    what: `positions ${scored.first}..${scored.last} cannot be scored in windows of ${windowLength} tokens every ${stride}`,
    fix: `use windows of 2 tokens or more, a stride of 1 or more, and a range inside 1..${windowLength - 1}`,
  });
}
