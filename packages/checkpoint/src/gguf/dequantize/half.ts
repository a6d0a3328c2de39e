/** Every float16 as a float32, by its bits: block scales are looked up here. */
import { widenToFloat32 } from '../../tensor-bytes.js';

const ALL_HALVES = Uint16Array.from({ length: 0x1_0000 }, (_, bits) => bits);

export const HALF_TABLE: Float32Array = widenToFloat32('F16', new Uint8Array(ALL_HALVES.buffer));
