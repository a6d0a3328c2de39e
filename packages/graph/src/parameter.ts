/**
 * Evaluates the constant expression of a parameter in TypeScript: weights are read from their files a few rows at a time,
 * so a model is never in memory as a whole and no runtime is needed.
 */
import { printable } from '@tundish/diagnostics';
import { DataType as T, dataTypeName, elementCount } from './data-type.js';
import { graphError } from './errors.js';
import { hadamard } from './hadamard/hadamard.js';
import { rotationOf } from './hadamard/hadamard-node.js';
import { rotateGroups } from './hadamard/rotate-groups.js';
import type { Node, Value } from './node.js';
import { type Tensor, sliceRows } from './tensor.js';
import { type FloatTarget, tensorFloats } from './tensor-floats.js';

/** Rows [from, to) of the first axis. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/**
 * float32 values of `root`, row-major: `root` is an initializer, or made from initializers by Cast to FLOAT (exact for
 * BFLOAT16 and FLOAT16), Mul with broadcasting (one float32 rounding an element), Transpose, Reshape, Unsqueeze, Squeeze and
 * Hadamard. What is below a Hadamard is computed in float64 and rounded to float32 once, at its end.
 *
 * @param read the bytes of a tensor, good until it is called again; it gets sliced tensors when `rows` is given
 * @param rows reads no more than these rows of the weight, and those that a rotation mixes with them (`rowsTogether`); not
 *   through a Transpose or a change of the first axis
 * @param target where the result goes; what it is made from is new
 * @throws GRAPH_PARAMETER for anything else in the expression, GRAPH_HADAMARD
 */
export function evaluateParameter(root: Value, read: (tensor: Tensor) => Uint8Array, rows?: RowRange, target: FloatTarget = {}): Float32Array {
  // Only what is below a rotation is wide, and the root is not.
  return evaluate(root, { read, rows, wide: false, target }).values as Float32Array;
}

/** How many neighbouring rows of `root` have to be read for one of them: more than 1 where a rotation mixes rows. */
export function rowsTogether(root: Value): number {
  const { producer } = root;
  if (producer === undefined) return 1;
  const rotation = rotationOf(producer);
  const own = rotation?.axis === 0 ? rotation.size : 1;
  return Math.max(own, ...producer.inputs.map((input) => (input === undefined ? 1 : rowsTogether(input))));
}

interface Request {
  readonly read: (tensor: Tensor) => Uint8Array;
  readonly rows: RowRange | undefined;
  /** Products and rotations are left in float64. */
  readonly wide: boolean;
  readonly target: FloatTarget;
}

interface Evaluated {
  readonly values: Float32Array | Float64Array;
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
    case 'Hadamard':
      return rotate(producer, value, request);
    default:
      throw refuse(value, `${producer.opType} ${printable(producer.name)} is not part of a parameter expression`);
  }
}

function readTensor(value: Value, tensor: Tensor, { read, rows, target }: Request): Evaluated {
  const part = rows === undefined ? tensor : sliceRows(tensor, rows.from, rows.to);
  const values = tensorFloats(part, read(part), target);
  if (values === undefined) throw refuse(value, `${printable(value.name)} is ${dataTypeName(tensor.dtype)}, which has no float32 values`);
  return { values, dims: part.dims };
}

/** Memory of a result: that of the target, or new. */
function resultOf({ wide, target }: Request, count: number): Float32Array | Float64Array {
  return wide ? new Float64Array(count) : (target.out ?? new Float32Array(count));
}

/** What a result is made from lies elsewhere. */
function operands(request: Request): Request {
  const { decoder } = request.target;
  return { ...request, target: decoder === undefined ? {} : { decoder } };
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
    return evaluate(value, sliced ? operands(request) : { ...operands(request), rows: undefined });
  };
  const { rows } = request;
  const size = rows === undefined ? dims : [rows.to - rows.from, ...dims.slice(1)];
  const [a, b] = [operand(0), operand(1)];
  const values = resultOf(request, elementCount(size));
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
  const { values, dims } = evaluate(node.input(0), operands(request));
  const perm = node.ints('perm') ?? dims.map((_, i) => dims.length - 1 - i);
  const size = perm.map((axis) => dims[axis] as number);
  const strides = perm.map((axis) => elementCount(dims.slice(axis + 1)));
  const moved = resultOf(request, values.length);
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

/** Along the first axis whole groups are evaluated, and the rows that nobody asked for are dropped. */
function rotate(node: Node, value: Value, request: Request): Evaluated {
  const rotation = rotationOf(node);
  if (rotation === undefined) throw refuse(value, `Hadamard ${printable(node.name)} is of another domain`);
  const { axis, size } = rotation;
  const dims = staticDims(value);
  const { rows } = request;
  const group = axis === 0 ? size : 1;
  const read = rows === undefined ? undefined : { from: Math.floor(rows.from / group) * group, to: Math.ceil(rows.to / group) * group };
  const { values, dims: had } = evaluate(node.input(0), { ...operands(request), rows: read, wide: true });
  const isWhole = rows === undefined || read === undefined || (read.from === rows.from && read.to === rows.to);
  const rotated = resultOf(isWhole ? request : operands(request), values.length);
  rotateGroups(hadamard(size), values, rotated, elementCount(dims.slice(axis + 1)));
  if (isWhole) return { values: rotated, dims: had };
  const columns = elementCount(dims.slice(1));
  const asked = resultOf(request, (rows.to - rows.from) * columns);
  asked.set(rotated.subarray((rows.from - read.from) * columns, (rows.to - read.from) * columns));
  return { values: asked, dims: [rows.to - rows.from, ...dims.slice(1)] };
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
    why: 'parameters are Cast, Mul, Transpose, Reshape and Hadamard over initializers',
    evidence: { detail: `value ${printable(value.name)}` },
    fix,
  });
}
