/** Q4_0 and Q4_1: 32 codes of 4 bits; byte j holds elements j and j + 16 (`block_q4_0`, `block_q4_1` of ggml-common.h). */
import { half } from './half.js';
import type { Kernel } from './kernel.js';

/** f16 d, 16 bytes of codes: (q - 8) d. */
export const q4_0: Kernel = (bytes, out, blocks) => {
  for (let block = 0; block < blocks; block++) {
    const at = block * 18;
    const to = block * 32;
    const d = half(bytes, at);
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 2 + j] as number;
      out[to + j] = ((pair & 15) - 8) * d;
      out[to + 16 + j] = ((pair >> 4) - 8) * d;
    }
  }
};

/** f16 d, f16 m, 16 bytes of codes: q d + m. */
export const q4_1: Kernel = (bytes, out, blocks) => {
  for (let block = 0; block < blocks; block++) {
    const at = block * 20;
    const to = block * 32;
    const d = half(bytes, at);
    const m = half(bytes, at + 2);
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 4 + j] as number;
      out[to + j] = (pair & 15) * d + m;
      out[to + 16 + j] = (pair >> 4) * d + m;
    }
  }
};
