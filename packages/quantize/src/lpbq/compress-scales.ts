/** From float block scales to LPBQ: a float32 per channel and an integer 1..16 per block, as AIMET 2.42 compresses them. */
import type { LpbqScales, ScaleGrid } from '@tundish/native';
import { roundHalfEven } from '../calibration/encoding-rules.js';

const { fround } = Math;

/** The largest integer of a block: the codes have 4 bits, their products with it 8. */
export const LARGEST_INTEGER = 16;

/**
 * g = fp32(max S / 16), i = clamp(rint(fp32(S / g)), 1, 16).
 *
 * @param scale fp32 [n, blocks], all positive
 */
export function compressScales(scale: Float32Array, n: number): LpbqScales {
  const blocks = scale.length / n;
  const channelScale = new Float32Array(n);
  const blockScale = new Uint8Array(scale.length);
  for (let row = 0; row < n; row++) {
    const own = scale.subarray(row * blocks, (row + 1) * blocks);
    const g = fround(own.reduce((largest, value) => (value > largest ? value : largest), 0) / LARGEST_INTEGER);
    channelScale[row] = g;
    own.forEach((value, j) => {
      blockScale[row * blocks + j] = Math.min(Math.max(roundHalfEven(fround(value / g)), 1), LARGEST_INTEGER);
    });
  }
  return { channelScale, blockScale };
}

/** The scales that codes are rounded on: fp32(g · i), 4 bits. @param k input channels */
export function lpbqGrid({ channelScale, blockScale }: LpbqScales, k: number): ScaleGrid {
  const blocks = blockScale.length / channelScale.length;
  const scale = new Float32Array(blockScale.length);
  // A plain loop: a call for every element costs several times as much, and these are millions.
  for (let at = 0; at < scale.length; at++) scale[at] = (blockScale[at] as number) * (channelScale[Math.floor(at / blocks)] as number);
  return { scale, block: k / blocks, bits: 4 };
}
