/** Q2_K and Q3_K: 256 codes of 2 or 3 bits in 16 sub-blocks of 16 (`block_q2_K`, `block_q3_K` of ggml-common.h). */
import { half } from './half.js';
import type { Kernel } from './kernel.js';

/** 16 bytes of scale | min << 4, 64 bytes of codes, f16 d, f16 dmin: (d s) q - dmin m. */
export const q2_k: Kernel = (bytes, out, blocks) => {
  for (let block = 0; block < blocks; block++) {
    const at = block * 84;
    const to = block * 256;
    const d = half(bytes, at + 80);
    const dmin = half(bytes, at + 82);
    for (let sub = 0; sub < 16; sub++) {
      const packed = bytes[at + sub] as number;
      const scale = d * (packed & 15);
      const min = dmin * (packed >> 4);
      const from = at + 16 + codesOf(sub);
      const shift = sub & 6;
      for (let l = 0; l < 16; l++) out[to + 16 * sub + l] = scale * (((bytes[from + l] as number) >> shift) & 3) - min;
    }
  }
};

/** 32 bytes of high bits, 64 bytes of low codes, 12 bytes of scales, f16 d: d (s - 32) (q - 4). */
export const q3_k: Kernel = (bytes, out, blocks) => {
  for (let block = 0; block < blocks; block++) {
    const at = block * 110;
    const to = block * 256;
    const d = half(bytes, at + 108);
    for (let sub = 0; sub < 16; sub++) {
      const scale = d * (q3Scale(bytes, at + 96, sub) - 32);
      const from = at + 32 + codesOf(sub);
      const highs = at + 16 * (sub & 1);
      const shift = sub & 6;
      const bit = sub >> 1;
      for (let l = 0; l < 16; l++) {
        const high = ((bytes[highs + l] as number) >> bit) & 1;
        out[to + 16 * sub + l] = scale * ((((bytes[from + l] as number) >> shift) & 3) + 4 * high - 4);
      }
    }
  }
};

/** Where the 16 bytes with the codes of a sub-block begin; four neighbouring pairs share 32 bytes, 2 bits each. */
function codesOf(sub: number): number {
  return 32 * (sub >> 3) + 16 * (sub & 1);
}

/** Low nibbles in bytes 0 to 7, two high bits each in bytes 8 to 11. */
function q3Scale(bytes: Uint8Array, at: number, sub: number): number {
  const low = bytes[at + (sub & 7)] as number;
  const high = bytes[at + 8 + (sub & 3)] as number;
  return (sub < 8 ? low & 15 : low >> 4) | (((high >> (2 * (sub >> 2))) & 3) << 4);
}
