/** F32, F16 and BF16: no blocks, only widening. */
import { half } from './half.js';
import type { Kernel } from './kernel.js';

export const f32: Kernel = (bytes, out, blocks) => {
  new Uint8Array(out.buffer, out.byteOffset, 4 * blocks).set(bytes.subarray(0, 4 * blocks));
};

export const f16: Kernel = (bytes, out, blocks) => {
  for (let i = 0; i < blocks; i++) out[i] = half(bytes, 2 * i);
};

/** The upper half of a float32. */
export const bf16: Kernel = (bytes, out, blocks) => {
  const bits = new Uint32Array(out.buffer, out.byteOffset, blocks);
  for (let i = 0; i < blocks; i++) bits[i] = ((bytes[2 * i] as number) << 16) | ((bytes[2 * i + 1] as number) << 24);
};
