/** Matrix products: MatMul as numpy.matmul, ONNX Runtime's MatMulNBits over packed weights, and our own over codes. */
import { DataType } from '../data-type.js';
import type { Dim, Node } from '../node.js';
import { type ShapeRule, broadcast, commonType, compatible, conflict, formatShape, shapeOf, typeOf } from './rule.js';

/** [..., M, K] x [..., K, N] -> [..., M, N]; a vector is a row on the left and a column on the right, and drops out. */
export const inferMatMul: ShapeRule = (node) => {
  const [a, b] = [shapeOf(node, 0), shapeOf(node, 1)];
  if (a.length === 0 || b.length === 0) throw conflict(node, 'a scalar is no matrix');
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const [inner, other] = [left[left.length - 1] as Dim, right[right.length - 2] as Dim];
  if (!compatible(inner, other)) throw conflict(node, `inner dims ${inner} and ${other}`);
  const batch = broadcast(node, [left.slice(0, -2), right.slice(0, -2)]);
  const rows = a.length === 1 ? [] : [left[left.length - 2] as Dim];
  const columns = b.length === 1 ? [] : [right[right.length - 1] as Dim];
  return [{ dtype: commonType(node, [0, 1]), shape: [...batch, ...rows, ...columns] }];
};

/** [..., K] x packed [N, K / block_size, block_size * bits / 8] -> [..., N] (onnxruntime docs/ContribOperators.md). */
export const inferMatMulNBits: ShapeRule = (node) => {
  const a = shapeOf(node, 0);
  const [k, n] = [node.int('K'), node.int('N')];
  if (k === undefined || n === undefined) throw conflict(node, 'attributes K and N are needed');
  if (a.length === 0 || !compatible(a[a.length - 1], k)) throw conflict(node, `K is ${k}, the input is ${formatShape(a)}`);
  const packed = shapeOf(node, 1);
  const [blockSize, bits] = [node.int('block_size') ?? 0, node.int('bits') ?? 4];
  const expected = [n, Math.ceil(k / blockSize), (blockSize * bits) / 8];
  if (packed.length !== 3 || !expected.every((dim, i) => compatible(dim, packed[i]))) {
    throw conflict(node, `packed weight is ${formatShape(packed)}, ${formatShape(expected)} expected`);
  }
  return [{ dtype: typeOf(node, 0), shape: [...a.slice(0, -1), n] }];
};

/** uint16 [..., M, K] x codes of a weight, nibbles [N, K/2] with integers of blocks or int8 [N, K] -> uint16 [..., M, N]. */
export const inferCodeLinear: ShapeRule = (node) => {
  const [x, codes] = [shapeOf(node, 0), shapeOf(node, 1)];
  const [columns, perByte] = [x.at(-1), node.inputs[3] === undefined ? 1 : 2];
  if (codes.length !== 2 || !compatible(columns, Number(codes[1]) * perByte)) throw conflict(node, `the weight is ${formatShape(codes)} with ${perByte} codes a byte, the input is ${formatShape(x)}`);
  return [{ dtype: codesOf(node), shape: [...x.slice(0, -1), codes[0] as Dim] }];
};

/** uint16 [..., G, M, K] x uint8 or uint16 [..., 1, K, N] -> uint16 [..., G, M, N]. */
export const inferCodeMatMul: ShapeRule = (node) => {
  const [a, b] = [shapeOf(node, 0), shapeOf(node, 1)];
  if (a.length < 2 || a.length !== b.length || !compatible(a.at(-1), b.at(-2))) throw conflict(node, `${formatShape(a)} times ${formatShape(b)}`);
  const type = typeOf(node, 1);
  if (type !== DataType.UINT8 && type !== DataType.UINT16) throw conflict(node, 'the second operand is neither uint8 nor uint16');
  return [{ dtype: codesOf(node), shape: [...broadcast(node, [a.slice(0, -2), b.slice(0, -2)]), a.at(-2) as Dim, b.at(-1) as Dim] }];
};

function codesOf(node: Node): DataType {
  if (typeOf(node, 0) !== DataType.UINT16) throw conflict(node, 'the first operand is not uint16');
  return DataType.UINT16;
}
