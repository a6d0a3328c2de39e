/** Q5_0 and Q5_1: as Q4, and a word of 32 bits whose bit j is the fifth bit of element j (`block_q5_0`, `block_q5_1` of ggml-common.h). */
import { half } from './half.js';
import type { Kernel } from './kernel.js';

/** f16 d, 4 bytes of high bits, 16 bytes of codes: (q - 16) d. */
export const q5_0: Kernel = (bytes, out, blocks) => {
  for (let block = 0; block < blocks; block++) {
    const at = block * 22;
    const to = block * 32;
    const d = half(bytes, at);
    const high = highBits(bytes, at + 2);
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 6 + j] as number;
      out[to + j] = (((pair & 15) | (((high >>> j) & 1) << 4)) - 16) * d;
      out[to + 16 + j] = (((pair >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16) * d;
    }
  }
};

/** f16 d, f16 m, 4 bytes of high bits, 16 bytes of codes: q d + m. */
export const q5_1: Kernel = (bytes, out, blocks) => {
  for (let block = 0; block < blocks; block++) {
    const at = block * 24;
    const to = block * 32;
    const d = half(bytes, at);
    const m = half(bytes, at + 2);
    const high = highBits(bytes, at + 4);
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 8 + j] as number;
      out[to + j] = ((pair & 15) | (((high >>> j) & 1) << 4)) * d + m;
      out[to + 16 + j] = ((pair >> 4) | (((high >>> (j + 16)) & 1) << 4)) * d + m;
    }
  }
};

function highBits(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}
