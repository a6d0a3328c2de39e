/** Reads a float16, as block scales are stored. */
import { widenToFloat32 } from '../../tensor-bytes.js';

const ALL_HALVES = Uint16Array.from({ length: 0x1_0000 }, (_, bits) => bits);

/** Every float16 as a float32, by its bits. */
const TABLE: Float32Array = widenToFloat32('F16', new Uint8Array(ALL_HALVES.buffer));

/** The little-endian float16 at byte `at`. */
export function half(bytes: Uint8Array, at: number): number {
  return TABLE[(bytes[at] as number) | ((bytes[at + 1] as number) << 8)] as number;
}
