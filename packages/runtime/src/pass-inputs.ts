/** The inputs of a pass that do not come from the model: token ids, mask, cosines and sines. */
import { type ContainerRope, ropeTable } from '@tundish/container';
import type { IoTensor, TensorData } from '@tundish/toolchain';
import { allocate, encode, encodeAll } from './codec.js';
import type { Chain, ComputedName } from './plan.js';

export interface PassConstants {
  readonly rope: ContainerRope;
  /** Additive value of masked positions. */
  readonly maskValue: number;
  /** Token of the unused rows of a chunk. */
  readonly padToken: number;
}

/**
 * Encoded inputs of a chunk whose first token has position `position`. Unused rows hold the pad token at position 0 and see
 * nothing.
 */
export function passInputs(chain: Chain, constants: PassConstants, ids: readonly number[], position: number): Map<ComputedName, TensorData> {
  const { computed, ar, cl } = chain;
  const tokens = new Int32Array(ar).fill(constants.padToken);
  tokens.set(ids);
  const { cos, sin } = ropeTable(constants.rope, Array.from({ length: ar }, (_, row) => (row < ids.length ? position + row : 0)));
  return new Map<ComputedName, TensorData>([
    ['input_ids', tokens],
    ['attention_mask', smartMask(computed.attention_mask, { ar, cl, count: ids.length, position }, constants.maskValue)],
    ['position_ids_cos', encodeAll(computed.position_ids_cos, cos)],
    ['position_ids_sin', encodeAll(computed.position_ids_sin, sin)],
  ]);
}

/** Row r of [AR, CL] sees the past in columns [0, n) and its own chunk in [CL-AR, CL-AR+r]. */
function smartMask(tensor: IoTensor, at: { ar: number; cl: number; count: number; position: number }, maskValue: number): TensorData {
  const visible = encode(tensor, 0);
  const mask = allocate(tensor, at.ar * at.cl).fill(encode(tensor, maskValue));
  for (let row = 0; row < at.count; row++) {
    const start = row * at.cl;
    const block = start + at.cl - at.ar;
    mask.fill(visible, start, start + at.position);
    mask.fill(visible, block, block + row + 1);
  }
  return mask;
}
