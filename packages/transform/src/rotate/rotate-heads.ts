/** R2 and R3: rotations of the heads of one attention. */
import { type Node, type Value, hadamardTensor } from '@tundish/graph';
import type { Attention } from './find-attentions.js';
import { rotateInputs, rotateOutputs } from './rotate-projection.js';

/** R2: each head of v gives rotated values, which o takes; with grouped queries every query head reads its group's. */
export function rotateValues({ v, o, headDim }: Attention): void {
  rotateOutputs(v, headDim);
  rotateInputs(o, headDim);
}

/**
 * R3: (q R)(k R)ᵀ = q kᵀ. Keys are rotated before they enter the cache. The product is a linear layer whose weight is a
 * constant of the graph, for rotary embedding stands between this rotation and the weights of q and k.
 */
export function rotateQueriesAndKeys({ scores, keyTranspose, headDim }: Attention, index: number): void {
  const { graph } = scores;
  const weight = graph.addInitializer(graph.uniqueName(`head_rotation_${index}`), hadamardTensor(headDim));
  const transposed = graph.addNode({ opType: 'Transpose', name: graph.uniqueName(`${weight.name}/transpose`), inputs: [weight], attributes: { perm: { type: 'ints', value: [1, 0] } } }).output();
  [transposed.dtype, transposed.shape] = [weight.dtype, weight.shape];
  for (const reader of [scores, keyTranspose]) rotateBefore(reader, transposed);
}

function rotateBefore(reader: Node, rotation: Value): void {
  const { graph } = reader;
  const heads = reader.input(0);
  const rotated = graph.addNode({ opType: 'MatMul', name: graph.uniqueName(`${reader.name}/rotation`), inputs: [heads, rotation] }).output();
  [rotated.dtype, rotated.shape] = [heads.dtype, heads.shape];
  reader.replaceInput(0, rotated);
}
