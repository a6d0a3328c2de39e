/** The input and output table that a compiled tiny graph must have, written out from the IO contract. */
import type { Encodings } from '@tundish/graph';
import type { CellId, IoTensor, IoType } from '../port.js';
import { BOUNDARY } from './tiny-model.js';
import { TINY } from './tiny-weights.js';
import type { Variant } from './workbench.js';

export interface ExpectedIo {
  readonly inputs: readonly IoTensor[];
  readonly outputs: readonly IoTensor[];
}

/** State, mask, cos, sin, then the caches by layer; outputs likewise. Quantized: uint16, caches uint8, token ids int32. */
export function expectedIo(cell: CellId, variant: Variant, encodings: Encodings): ExpectedIo {
  const { ar, cl, part, parts } = cell;
  const { groups, headDim, hidden, vocab, layers } = TINY;
  const layerIds = parts === 1 ? Array.from({ length: layers }, (_, layer) => layer) : [part - 1];
  const row = (name: string, ...shape: number[]): IoTensor => {
    const encoding = variant.quantized ? encodings.activations.get(name) : undefined;
    if (encoding === undefined) return { name, dtype: name === 'input_ids' ? 'int32' : 'float32', shape };
    return { name, dtype: encoding.dtype as IoType, shape, quantization: { scale: encoding.scale, zeroPoint: encoding.zeroPoint } };
  };
  const caches = (end: 'in' | 'out', length: number): IoTensor[] =>
    layerIds.flatMap((layer) => [row(`past_key_${layer}_${end}`, groups, 1, headDim, length), row(`past_value_${layer}_${end}`, groups, 1, length, headDim)]);
  const inputs = [
    part === 1 ? row('input_ids', 1, ar) : row(BOUNDARY, 1, ar, hidden),
    row('attention_mask', 1, 1, ar, cl),
    row('position_ids_cos', 1, 1, ar, headDim / 2),
    row('position_ids_sin', 1, 1, ar, headDim / 2),
    ...caches('in', cl - ar),
  ];
  const state = part === parts ? row('logits', 1, ar, vocab) : row(BOUNDARY, 1, ar, hidden);
  return { inputs, outputs: [state, ...caches('out', ar)] };
}
