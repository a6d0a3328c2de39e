/** Weight quantization in TypeScript: LPBQ, per channel, and on a given unsigned grid, with the numerics of the addon. */
import { clampRound, lowerEnd, symmetricScale, upperEnd } from './ranges.js';

const { fround } = Math;

/** Block scales S, g = fp32(max S / 16), i = clamp(rint(S / g), 1, 16), then codes against the compressed fp32(g * i). */
export function quantizeLpbq(w: Float32Array, n: number, k: number, blockSize: number, codes: Uint8Array, blockScale: Uint8Array, channelScale: Float32Array): void {
  const blocks = k / blockSize;
  const scales = new Float32Array(blocks);
  for (let row = 0; row < n; row++) {
    let largest = 0;
    for (let j = 0; j < blocks; j++) {
      const start = row * k + j * blockSize;
      const scale = symmetricScale(lowerEnd(w, start, start + blockSize), upperEnd(w, start, start + blockSize), 4);
      scales[j] = scale;
      if (scale > largest) largest = scale;
    }
    const g = fround(largest / 16);
    channelScale[row] = g;
    for (let j = 0; j < blocks; j++) {
      const integer = clampRound(fround((scales[j] as number) / g), 1, 16);
      blockScale[row * blocks + j] = integer;
      packBlock(w, row * k + j * blockSize, blockSize, fround(g * integer), codes);
    }
  }
}

function packBlock(w: Float32Array, start: number, size: number, scale: number, codes: Uint8Array): void {
  for (let i = start; i < start + size; i += 2) {
    const low = clampRound(fround((w[i] as number) / scale), -8, 7) + 8;
    const high = clampRound(fround((w[i + 1] as number) / scale), -8, 7) + 8;
    codes[i >>> 1] = low | (high << 4);
  }
}

export function dequantizeLpbq(codes: Uint8Array, blockScale: Uint8Array, channelScale: Float32Array, n: number, k: number, blockSize: number, out: Float32Array): void {
  const blocks = k / blockSize;
  for (let block = 0; block < n * blocks; block++) {
    const row = Math.floor(block / blocks);
    const scale = fround((blockScale[block] as number) * (channelScale[row] as number));
    for (let i = block * blockSize; i < (block + 1) * blockSize; i += 2) {
      const byte = codes[i / 2] as number;
      out[i] = ((byte & 15) - 8) * scale;
      out[i + 1] = ((byte >> 4) - 8) * scale;
    }
  }
}

export function quantizePerChannel(w: Float32Array, n: number, k: number, bits: number, codes: Int8Array, scale: Float32Array): void {
  const bound = 2 ** (bits - 1);
  for (let row = 0; row < n; row++) {
    const start = row * k;
    const s = symmetricScale(lowerEnd(w, start, start + k), upperEnd(w, start, start + k), bits);
    scale[row] = s;
    for (let i = start; i < start + k; i++) codes[i] = clampRound(fround((w[i] as number) / s), -bound, bound - 1);
  }
}

export function dequantizePerChannel(codes: Int8Array, scale: Float32Array, n: number, k: number, out: Float32Array): void {
  for (let row = 0; row < n; row++) {
    const s = scale[row] as number;
    for (let i = row * k; i < (row + 1) * k; i++) out[i] = (codes[i] as number) * s;
  }
}

export function quantizeOnGrid(w: Float32Array, scale: number, zeroPoint: number, codes: Uint8Array | Uint16Array): void {
  const top = codes instanceof Uint8Array ? 255 : 65535;
  for (let i = 0; i < w.length; i++) codes[i] = clampRound(fround((w[i] as number) / scale), -zeroPoint, top - zeroPoint) + zeroPoint;
}
