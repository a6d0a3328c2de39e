/** IQ4_NL and IQ4_XS: codes of 4 bits that stand for unevenly spaced values (`block_iq4_nl`, `block_iq4_xs` of ggml-common.h). */
import { half } from './half.js';
import type { Kernel } from './kernel.js';

/** `kvalues_iq4nl`. */
const VALUES = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

/** f16 d, 16 bytes of codes in the order of Q4_0: d v. */
export const iq4_nl: Kernel = (bytes, out, blocks) => {
  for (let block = 0; block < blocks; block++) {
    const at = block * 18;
    const d = half(bytes, at);
    spread(bytes, at + 2, d, out, block * 32);
  }
};

/** f16 d, u16 of two high scale bits each, 4 bytes of low scale nibbles, 8 times 16 bytes of codes: d (s - 32) v. */
export const iq4_xs: Kernel = (bytes, out, blocks) => {
  for (let block = 0; block < blocks; block++) {
    const at = block * 136;
    const d = half(bytes, at);
    const high = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8);
    for (let sub = 0; sub < 8; sub++) {
      const low = ((bytes[at + 4 + (sub >> 1)] as number) >> (4 * (sub & 1))) & 15;
      const scale = low | (((high >> (2 * sub)) & 3) << 4);
      spread(bytes, at + 8 + 16 * sub, d * (scale - 32), out, block * 256 + 32 * sub);
    }
  }
};

function spread(bytes: Uint8Array, from: number, scale: number, out: Float32Array, to: number): void {
  for (let j = 0; j < 16; j++) {
    const pair = bytes[from + j] as number;
    out[to + j] = scale * (VALUES[pair & 15] as number);
    out[to + 16 + j] = scale * (VALUES[pair >> 4] as number);
  }
}
