/** Q4_K and Q5_K: 256 codes in 8 sub-blocks of 32 with 6-bit scales and mins (`block_q4_K`, `block_q5_K` of ggml-common.h). */
import { half } from './half.js';
import type { Kernel } from './kernel.js';

/** f16 d, f16 dmin, 12 bytes of scales, 128 bytes of codes: (d s) q - dmin m. */
export const q4_k: Kernel = (bytes, out, blocks) => {
  for (let block = 0; block < blocks; block++) {
    const at = block * 144;
    const to = block * 256;
    const d = half(bytes, at);
    const dmin = half(bytes, at + 2);
    for (let sub = 0; sub < 8; sub++) {
      const scale = d * subScale(bytes, at + 4, sub);
      const min = dmin * subMin(bytes, at + 4, sub);
      const from = at + 16 + 32 * (sub >> 1);
      const shift = 4 * (sub & 1);
      for (let l = 0; l < 32; l++) out[to + 32 * sub + l] = scale * (((bytes[from + l] as number) >> shift) & 15) - min;
    }
  }
};

/** f16 d, f16 dmin, 12 bytes of scales, 32 bytes of fifth bits, 128 bytes of codes: (d s) q - dmin m. */
export const q5_k: Kernel = (bytes, out, blocks) => {
  for (let block = 0; block < blocks; block++) {
    const at = block * 176;
    const to = block * 256;
    const d = half(bytes, at);
    const dmin = half(bytes, at + 2);
    for (let sub = 0; sub < 8; sub++) {
      const scale = d * subScale(bytes, at + 4, sub);
      const min = dmin * subMin(bytes, at + 4, sub);
      const from = at + 48 + 32 * (sub >> 1);
      const shift = 4 * (sub & 1);
      for (let l = 0; l < 32; l++) {
        const high = ((bytes[at + 16 + l] as number) >> sub) & 1;
        out[to + 32 * sub + l] = scale * ((((bytes[from + l] as number) >> shift) & 15) | (high << 4)) - min;
      }
    }
  }
};

function subScale(bytes: Uint8Array, at: number, sub: number): number {
  if (sub < 4) return (bytes[at + sub] as number) & 63;
  return ((bytes[at + sub + 4] as number) & 15) | (((bytes[at + sub - 4] as number) >> 6) << 4);
}

function subMin(bytes: Uint8Array, at: number, sub: number): number {
  if (sub < 4) return (bytes[at + sub + 4] as number) & 63;
  return ((bytes[at + sub + 4] as number) >> 4) | (((bytes[at + sub] as number) >> 6) << 4);
}
