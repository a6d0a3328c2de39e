/** Hadamard matrices as tensors of a graph: the normalised matrix, and the recognition of one. */
import { DataType } from '../data-type.js';
import { type InlineTensor, type Tensor, floatTensor } from '../tensor.js';
import { findHadamard, hadamard } from './hadamard.js';
import { rotateGroups } from './rotate-groups.js';

/** The transpose of H / √size [size,size], row-major: the weight of a linear layer y = x Wᵀ that rotates x. @throws GRAPH_HADAMARD */
export function hadamardMatrix(size: number): Float32Array {
  const matrix = new Float32Array(size * size);
  for (let i = 0; i < size; i++) matrix[i * (size + 1)] = 1;
  // Along the first axis the columns of the unit matrix are rotated: entry [j,i] is H[i,j] / √size.
  rotateGroups(hadamard(size), matrix, matrix, size);
  return matrix;
}

/** `hadamardMatrix` as a constant of a graph. @throws GRAPH_HADAMARD */
export function hadamardTensor(size: number): InlineTensor {
  return floatTensor(hadamardMatrix(size), [size, size]);
}

/** True for an inline tensor that is `hadamardTensor` of its size, bit for bit. */
export function isHadamardTensor(tensor: Tensor | undefined): boolean {
  const [rows = 0, columns = 0] = tensor?.dims ?? [];
  if (tensor?.kind !== 'inline' || tensor.dtype !== DataType.FLOAT || tensor.dims.length !== 2 || rows < 2 || rows !== columns) return false;
  return findHadamard(rows) !== undefined && Buffer.compare(tensor.data, hadamardTensor(rows).data) === 0;
}
