/** How calibration windows are taken through a block. */
import type { WindowRange } from '../live-activations.js';

/** Tokens that run through a linear layer at once: enough that its weights are packed seldom, few enough for memory. */
const BATCH_TOKENS = 4096;

/** All windows, as many at once as make a batch. */
export function batchesOf(windows: number, windowLength: number): WindowRange[] {
  const size = Math.max(1, Math.floor(BATCH_TOKENS / windowLength));
  return Array.from({ length: Math.ceil(windows / size) }, (_, i) => ({ first: i * size, count: Math.min(size, windows - i * size) }));
}
