/** Q8_0: f16 d and 32 signed bytes, q d (`block_q8_0` of ggml-common.h). */
import { half } from './half.js';
import type { Kernel } from './kernel.js';

export const q8_0: Kernel = (bytes, out, blocks) => {
  const codes = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0; block < blocks; block++) {
    const at = block * 34;
    const to = block * 32;
    const d = half(bytes, at);
    for (let j = 0; j < 32; j++) out[to + j] = (codes[at + 2 + j] as number) * d;
  }
};
