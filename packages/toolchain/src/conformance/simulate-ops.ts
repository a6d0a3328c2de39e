/** The operators of the conformance graphs in float64, written from their definitions and sharing no code with a toolchain. */
import type { Node } from '@tundish/graph';

/** Row-major float64 array; integers are exact in it. */
export interface Array64 {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

type Operator = (node: Node, inputs: readonly Array64[]) => readonly Array64[];

const size = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);
const at = (array: Array64, index: number): number => array.data[index] as number;
const arg = (inputs: readonly Array64[], index: number): Array64 => inputs[index] as Array64;

function make(dims: readonly number[], fill: (index: number) => number): Array64 {
  return { dims, data: Float64Array.from({ length: size(dims) }, (_, i) => fill(i)) };
}

/** Coordinates of a row-major index. */
function coordinates(index: number, dims: readonly number[]): number[] {
  const found = new Array<number>(dims.length).fill(0);
  let rest = index;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    found[axis] = rest % (dims[axis] as number);
    rest = Math.floor(rest / (dims[axis] as number));
  }
  return found;
}

/** Element of `array` at `place`, with axes of length 1 stretched and missing leading axes added. */
function pick(array: Array64, place: readonly number[]): number {
  const skip = place.length - array.dims.length;
  return at(array, array.dims.reduce((index, dim, axis) => index * dim + (dim === 1 ? 0 : (place[axis + skip] as number)), 0));
}

function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => Math.max(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1));
}

function elementwise(compute: (a: number, b: number) => number): Operator {
  return (_node, inputs) => {
    const [a, b] = [arg(inputs, 0), arg(inputs, 1)];
    const dims = broadcast(a.dims, b.dims);
    return [make(dims, (i) => compute(pick(a, coordinates(i, dims)), pick(b, coordinates(i, dims))))];
  };
}

function matMul(a: Array64, b: Array64): Array64 {
  const inner = a.dims[a.dims.length - 1] as number;
  const columns = b.dims[b.dims.length - 1] as number;
  const rows = a.dims[a.dims.length - 2] as number;
  const dims = [...broadcast(a.dims.slice(0, -2), b.dims.slice(0, -2)), rows, columns];
  return make(dims, (i) => {
    const place = coordinates(i, dims);
    const batch = place.slice(0, -2);
    const [row, column] = place.slice(-2) as [number, number];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += pick(a, [...batch, row, k]) * pick(b, [...batch, k, column]);
    return sum;
  });
}

function lastAxis(x: Array64, compute: (row: Float64Array) => ArrayLike<number>): Array64 {
  const width = x.dims[x.dims.length - 1] as number;
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += width) data.set(compute(x.data.subarray(start, start + width)), start);
  return { dims: x.dims, data };
}

function softmax(row: Float64Array): Float64Array {
  const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = row.map((x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / sum);
}

function positiveAxis(node: Node, rank: number): number {
  return ((node.int('axis') ?? 0) + rank) % rank;
}

function transpose(node: Node, x: Array64): Array64 {
  const perm = node.ints('perm') ?? [];
  const dims = perm.map((axis) => x.dims[axis] as number);
  return make(dims, (i) => {
    const source = new Array<number>(dims.length);
    coordinates(i, dims).forEach((place, axis) => (source[perm[axis] as number] = place));
    return pick(x, source);
  });
}

function concat(node: Node, inputs: readonly Array64[]): Array64 {
  const axis = positiveAxis(node, arg(inputs, 0).dims.length);
  const dims = [...arg(inputs, 0).dims];
  dims[axis] = inputs.reduce((sum, input) => sum + (input.dims[axis] as number), 0);
  return make(dims, (i) => {
    const place = coordinates(i, dims);
    for (const input of inputs) {
      if ((place[axis] as number) < (input.dims[axis] as number)) return pick(input, place);
      place[axis] = (place[axis] as number) - (input.dims[axis] as number);
    }
    return NaN;
  });
}

function splitEvenly(node: Node, x: Array64): Array64[] {
  const axis = positiveAxis(node, x.dims.length);
  const length = (x.dims[axis] as number) / node.outputs.length;
  const dims = x.dims.map((dim, i) => (i === axis ? length : dim));
  return node.outputs.map((_, part) => make(dims, (i) => pick(x, coordinates(i, dims).map((place, d) => (d === axis ? place + part * length : place)))));
}

function gatherRows(table: Array64, ids: Array64): Array64 {
  const width = table.dims[1] as number;
  return make([...ids.dims, width], (i) => at(table, at(ids, Math.floor(i / width)) * width + (i % width)));
}

/** Per tensor, per channel along `axis`, or per block of `block_size` along `axis` (ONNX DequantizeLinear-23). */
function dequantize(node: Node, inputs: readonly Array64[]): Array64 {
  const [codes, scale, zero] = [arg(inputs, 0), arg(inputs, 1), inputs[2]];
  const block = node.int('block_size') ?? 0;
  const axis = ((node.int('axis') ?? 1) + codes.dims.length) % codes.dims.length;
  const place = (i: number): number[] => {
    const full = coordinates(i, codes.dims);
    if (block > 0) return full.map((p, d) => (d === axis ? Math.floor(p / block) : p));
    return scale.dims.length === 0 ? [] : [full[axis] as number];
  };
  return make(codes.dims, (i) => (at(codes, i) - (zero === undefined ? 0 : pick(zero, place(i)))) * pick(scale, place(i)));
}

function rmsNorm(node: Node, x: Array64, gain: Array64): Array64 {
  const epsilon = node.float('epsilon') ?? 1e-5;
  return lastAxis(x, (row) => {
    const mean = row.reduce((sum, value) => sum + value * value, 0) / row.length;
    return row.map((value, i) => (value / Math.sqrt(mean + epsilon)) * at(gain, i));
  });
}

export const OPERATORS: Readonly<Record<string, Operator>> = {
  Add: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  Cast: (_node, inputs) => [arg(inputs, 0)],
  Concat: (node, inputs) => [concat(node, inputs)],
  DequantizeLinear: (node, inputs) => [dequantize(node, inputs)],
  Gather: (_node, inputs) => [gatherRows(arg(inputs, 0), arg(inputs, 1))],
  MatMul: (_node, inputs) => [matMul(arg(inputs, 0), arg(inputs, 1))],
  RMSNormalization: (node, inputs) => [rmsNorm(node, arg(inputs, 0), arg(inputs, 1))],
  Reshape: (_node, inputs) => [{ dims: [...arg(inputs, 1).data], data: arg(inputs, 0).data }],
  Sigmoid: (_node, inputs) => [make(arg(inputs, 0).dims, (i) => 1 / (1 + Math.exp(-at(arg(inputs, 0), i))))],
  Softmax: (_node, inputs) => [lastAxis(arg(inputs, 0), softmax)],
  Split: (node, inputs) => splitEvenly(node, arg(inputs, 0)),
  Transpose: (node, inputs) => [transpose(node, arg(inputs, 0))],
};
