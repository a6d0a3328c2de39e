/** The whole range of what was seen. */
import type { Range } from '../calibration/encoding-rules.js';

/** Of an empty piece [Infinity, -Infinity], which unites with anything; NaN at both ends when any value is. */
export function minMaxRange(data: Float32Array): Range {
  let [min, max] = [Infinity, -Infinity];
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (Number.isNaN(value)) return { min: NaN, max: NaN };
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}
