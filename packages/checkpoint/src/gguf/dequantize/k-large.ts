/** Q6_K: 256 codes of 6 bits in 16 sub-blocks of 16 with signed scales (`block_q6_K` of ggml-common.h). */
import { half } from './half.js';
import type { Kernel } from './kernel.js';

/** 128 bytes of low nibbles, 64 of two high bits, 16 scales, f16 d: (d s) (q - 32). */
export const q6_k: Kernel = (bytes, out, blocks) => {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0; block < blocks; block++) {
    const at = block * 210;
    const to = block * 256;
    const d = half(bytes, at + 208);
    for (let sub = 0; sub < 16; sub++) {
      const scale = d * (signed[at + 192 + sub] as number);
      // A half holds quarters of 32 elements: quarters 0 and 2, 1 and 3 share their bytes of low nibbles.
      const half = sub >> 3;
      const quarter = (sub >> 1) & 3;
      const within = 16 * (sub & 1);
      const lows = at + 64 * half + 32 * (quarter & 1) + within;
      const highs = at + 128 + 32 * half + within;
      const shift = 4 * (quarter >> 1);
      for (let l = 0; l < 16; l++) {
        const code = (((bytes[lows + l] as number) >> shift) & 15) | ((((bytes[highs + l] as number) >> (2 * quarter)) & 3) << 4);
        out[to + 16 * sub + l] = scale * (code - 32);
      }
    }
  }
};
