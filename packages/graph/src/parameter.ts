/**
 * Evaluates the constant expression of a parameter in TypeScript: weights are read from their files a few rows at a time,
 * so a model is never in memory as a whole and no runtime is needed.
 */
import { printable } from '@tundish/diagnostics';
import { DataType as T, dataTypeName, elementCount } from './data-type.js';
import { graphError } from './errors.js';
import type { Node, Value } from './node.js';
import { decodeBfloat16, decodeFloat16 } from './half-floats.js';
import { type Tensor, sliceRows } from './tensor.js';

/** Rows [from, to) of the first axis. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/**
 * float32 values of `root`, row-major: `root` is an initializer, or made from initializers by Cast to FLOAT (exact for
 * BFLOAT16 and FLOAT16), Mul with broadcasting (one float32 rounding an element), Transpose, Reshape, Unsqueeze and Squeeze.
 *
 * @param read the bytes of a tensor; it gets sliced tensors when `rows` is given
 * @param rows reads no more than these rows of the weight; not through a Transpose or a change of the first axis
 * @throws GRAPH_PARAMETER for anything else in the expression
 */
export function evaluateParameter(root: Value, read: (tensor: Tensor) => Uint8Array, rows?: RowRange): Float32Array {
  return evaluate(root, { read, rows }).values;
}

interface Request {
  readonly read: (tensor: Tensor) => Uint8Array;
  readonly rows: RowRange | undefined;
}

interface Evaluated {
  readonly values: Float32Array;
  readonly dims: readonly number[];
}

function evaluate(value: Value, request: Request): Evaluated {
  const { tensor, producer } = value;
  if (tensor !== undefined) return readTensor(value, tensor, request);
  if (producer === undefined) throw refuse(value, `${printable(value.name)} is an input of the graph, not a constant`);
  switch (producer.opType) {
    case 'Cast':
      return castToFloat(producer, request);
    case 'Mul':
      return multiply(producer, request);
    case 'Transpose':
      return transpose(producer, request);
    case 'Reshape':
    case 'Unsqueeze':
    case 'Squeeze':
      return reshape(producer, value, request);
    default:
      throw refuse(value, `${producer.opType} ${printable(producer.name)} is not part of a parameter expression`);
  }
}

function readTensor(value: Value, tensor: Tensor, { read, rows }: Request): Evaluated {
  const part = rows === undefined ? tensor : sliceRows(tensor, rows.from, rows.to);
  const bytes = read(part);
  const count = elementCount(part.dims);
  if (tensor.dtype === T.BFLOAT16) return { values: decodeBfloat16(bytes, count), dims: part.dims };
  if (tensor.dtype === T.FLOAT16) return { values: decodeFloat16(bytes, count), dims: part.dims };
  if (tensor.dtype === T.UINT8) return { values: Float32Array.from(bytes), dims: part.dims };
  if (tensor.dtype !== T.FLOAT) throw refuse(value, `${printable(value.name)} is ${dataTypeName(tensor.dtype)}, which has no float32 values`);
  // A copy: the bytes may begin anywhere in a buffer, and callers may write into the result.
  return { values: new Float32Array(new Uint8Array(bytes).buffer, 0, count), dims: part.dims };
}

function castToFloat(node: Node, request: Request): Evaluated {
  if (node.int('to') !== T.FLOAT) throw refuse(node.output(), `Cast ${printable(node.name)} is to ${dataTypeName(node.int('to') ?? 0)}, FLOAT is expected`);
  return evaluate(node.input(0), request);
}

/** Rows are taken from operands that have the first axis of the result; others are whole: gains, scalars. */
function multiply(node: Node, request: Request): Evaluated {
  const dims = staticDims(node.output());
  const operand = (index: number): Evaluated => {
    const value = node.input(index);
    const own = staticDims(value);
    const sliced = own.length === dims.length && own[0] === dims[0];
    return evaluate(value, sliced ? request : { ...request, rows: undefined });
  };
  const { rows } = request;
  const size = rows === undefined ? dims : [rows.to - rows.from, ...dims.slice(1)];
  const [a, b] = [operand(0), operand(1)];
  const values = new Float32Array(elementCount(size));
  const [ia, ib] = [indexOf(a.dims, size), indexOf(b.dims, size)];
  for (let i = 0; i < values.length; i++) values[i] = (a.values[ia(i)] as number) * (b.values[ib(i)] as number);
  return { values, dims: size };
}

/** Maps a flat index of `to` to the flat index of `from` that broadcasts to it. */
function indexOf(from: readonly number[], to: readonly number[]): (flat: number) => number {
  const count = elementCount(from);
  if (count === 1) return () => 0;
  const suffix = from.slice(from.findIndex((dim) => dim !== 1));
  if (suffix.every((dim, i) => dim === to[to.length - suffix.length + i])) return (flat) => flat % count;
  const padded = [...Array<number>(to.length - from.length).fill(1), ...from];
  const strides = padded.map((dim, i) => (dim === 1 ? 0 : elementCount(padded.slice(i + 1))));
  return (flat) => {
    let index = 0;
    for (let axis = to.length - 1, rest = flat; axis >= 0; axis--) {
      const dim = to[axis] as number;
      index += (rest % dim) * (strides[axis] as number);
      rest = Math.floor(rest / dim);
    }
    return index;
  };
}

function transpose(node: Node, request: Request): Evaluated {
  whole(node, request);
  const { values, dims } = evaluate(node.input(0), request);
  const perm = node.ints('perm') ?? dims.map((_, i) => dims.length - 1 - i);
  const size = perm.map((axis) => dims[axis] as number);
  const strides = perm.map((axis) => elementCount(dims.slice(axis + 1)));
  const moved = new Float32Array(values.length);
  for (let i = 0; i < moved.length; i++) {
    let from = 0;
    for (let axis = size.length - 1, rest = i; axis >= 0; axis--) {
      from += (rest % (size[axis] as number)) * (strides[axis] as number);
      rest = Math.floor(rest / (size[axis] as number));
    }
    moved[i] = values[from] as number;
  }
  return { values: moved, dims: size };
}

function reshape(node: Node, value: Value, request: Request): Evaluated {
  const input = node.input(0);
  const dims = staticDims(value);
  if (request.rows !== undefined && staticDims(input)[0] !== dims[0]) whole(node, request);
  const { values } = evaluate(input, request);
  return { values, dims: request.rows === undefined ? dims : [request.rows.to - request.rows.from, ...dims.slice(1)] };
}

function whole(node: Node, { rows }: Request): void {
  if (rows === undefined) return;
  throw refuse(node.output(), `rows of ${printable(node.output().name)} cannot be read alone: ${node.opType} moves them`);
}

function staticDims(value: Value): readonly number[] {
  const shape = value.shape ?? value.tensor?.dims;
  if (shape === undefined || !shape.every((dim) => typeof dim === 'number')) {
    throw refuse(value, `the shape of ${printable(value.name)} is not known`, 'run inferShapes first');
  }
  return shape;
}

function refuse(value: Value, what: string, fix = 'evaluate it in a runtime, or write the weight to a file first'): Error {
  return graphError('GRAPH_PARAMETER', {
    what,
    why: 'parameters are Cast, Mul, Transpose and Reshape over initializers',
    evidence: { detail: `value ${printable(value.name)}` },
    fix,
  });
}
