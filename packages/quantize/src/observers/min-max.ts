/** The whole range of what was seen. */
import type { Range } from '../calibration/encoding-rules.js';

/** Of an empty piece [Infinity, -Infinity], which unites with anything; NaN at both ends when any value is. */
export function minMaxRange(data: Float32Array): Range {
  let [min, max] = [Infinity, -Infinity];
  // Not for-of: this loop sees every activation.
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (Number.isNaN(value)) return { min: NaN, max: NaN };
    if (value < min) min = value;
    if (value > max) max = value;
  }
  // Which zero comes first is not a property of the data: + 0 turns -0 into +0.
  return { min: min + 0, max: max + 0 };
}
