/** Hadamard matrices as tensors of a graph: the normalised matrix, and the recognition of one. */
import { DataType } from '../data-type.js';
import { type Tensor, floatTensor } from '../tensor.js';
import { hadamard } from './hadamard.js';
import { rotateGroups } from './rotate-groups.js';

/** The transpose of H / √size as float32 [size,size]: the weight of a linear layer y = x Wᵀ that rotates x. @throws GRAPH_HADAMARD */
export function hadamardTensor(size: number): Tensor {
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++) matrix[i * (size + 1)] = 1;
  // Along the first axis the columns of the unit matrix are rotated: entry [j,i] is H[i,j] / √size.
  rotateGroups(hadamard(size), matrix, matrix, size);
  return floatTensor(Float32Array.from(matrix), [size, size]);
}

/** True for an inline square matrix of one magnitude: whatever its signs, symmetric codes hold it exactly. */
export function isHadamardTensor(tensor: Tensor | undefined): boolean {
  const [rows = 0, columns = 0] = tensor?.dims ?? [];
  if (tensor?.kind !== 'inline' || tensor.dtype !== DataType.FLOAT || tensor.dims.length !== 2 || rows < 2 || rows !== columns) return false;
  const view = new DataView(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  const magnitude = Math.fround(1 / Math.sqrt(rows));
  return Array.from({ length: rows * columns }, (_, i) => Math.abs(view.getFloat32(4 * i, true))).every((entry) => entry === magnitude);
}
