/** Executes adapted graphs in float64, weights included, to tell a rewrite that keeps the function from one that nearly does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Graph, type Node, type Tensor, type Value, evaluateParameter, hadamard, integerValues, rotationOf } from '@tundish/graph';
import type { Feeds } from '../../architectures/test/ort-session.js';
import { rotateGroups } from '../../graph/src/hadamard/rotate-groups.js';

interface Array64 {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

/** Values of `outputs` for the given feeds; external tensors are ranges of files in `folder`. */
export function runFloat64(graph: Graph, folder: string, feeds: Feeds): Record<string, Float64Array> {
  const files = new Map<string, Uint8Array>();
  const read = (tensor: Tensor): Uint8Array => {
    if (tensor.kind === 'inline') return tensor.data;
    if (!files.has(tensor.location)) files.set(tensor.location, readFileSync(join(folder, tensor.location)));
    return files.get(tensor.location)?.subarray(tensor.offset, tensor.offset + tensor.length) as Uint8Array;
  };
  const known = new Map<Value, Array64>(graph.inputs.map((input) => [input, fed(feeds, input.name)]));
  const valueOf = (value: Value): Array64 => {
    const found = known.get(value) ?? (value.tensor === undefined ? undefined : { dims: value.tensor.dims, data: Float64Array.from(integerValues(value.tensor) ?? evaluateParameter(value, read)) });
    if (found === undefined) throw new Error(`${value.name} is not known`);
    known.set(value, found);
    return found;
  };
  for (const node of graph.sortedNodes()) {
    // 16-bit tensors are read by a Cast, which the reader of parameters does exactly.
    const results = node.opType === 'Cast' ? [{ dims: (node.output().shape ?? []).map(Number), data: Float64Array.from(evaluateParameter(node.output(), read)) }] : compute(node, node.inputs.map((input) => valueOf(input as Value)));
    results.forEach((result, i) => known.set(node.output(i), result));
  }
  return Object.fromEntries(graph.outputs.map((output) => [output.name, valueOf(output).data]));
}

function fed(feeds: Feeds, name: string): Array64 {
  const feed = feeds[name];
  if (feed === undefined) throw new Error(`the test feeds no ${name}`);
  return { dims: feed.dims, data: Float64Array.from(feed.data) };
}

const count = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

function compute(node: Node, inputs: readonly Array64[]): readonly Array64[] {
  const [a, b] = inputs as [Array64, Array64];
  const rotation = rotationOf(node);
  if (rotation !== undefined) {
    const data = a.data.slice();
    rotateGroups(hadamard(rotation.size), data, data, count(a.dims.slice(rotation.axis + 1)));
    return [{ dims: a.dims, data }];
  }
  switch (node.opType) {
    case 'Add':
      return [elementwise(a, b, (x, y) => x + y)];
    case 'Sub':
      return [elementwise(a, b, (x, y) => x - y)];
    case 'Mul':
      return [elementwise(a, b, (x, y) => x * y)];
    case 'Sigmoid':
      return [{ dims: a.dims, data: a.data.map((x) => 1 / (1 + Math.exp(-x))) }];
    case 'MatMul':
      return [matmul(a, b)];
    case 'Softmax':
      return [rows(a, (row) => softmax(row))];
    case 'RMSNormalization':
      return [rows(a, (row) => normalized(row, b.data, node.float('epsilon') ?? 0))];
    case 'Reshape':
      return [{ dims: Array.from(b.data), data: a.data }];
    case 'Transpose':
      return [transposed(a, node.ints('perm') ?? [1, 0])];
    case 'Gather':
      return [gathered(a, b)];
    case 'Concat':
      return [joined(a, b, node.int('axis') ?? 0)];
    case 'Split':
      return halves(a, node.int('axis') ?? 0);
    default:
      throw new Error(`no float64 form of ${node.opType}`);
  }
}

function elementwise(a: Array64, b: Array64, f: (x: number, y: number) => number): Array64 {
  const rank = Math.max(a.dims.length, b.dims.length);
  const pad = (dims: readonly number[]): number[] => [...Array<number>(rank - dims.length).fill(1), ...dims];
  const [left, right] = [pad(a.dims), pad(b.dims)];
  const dims = left.map((dim, i) => Math.max(dim, right[i] as number));
  const at = (own: readonly number[], flat: number): number => {
    let [index, stride, rest] = [0, 1, flat];
    for (let axis = rank - 1; axis >= 0; axis--) {
      const place = rest % (dims[axis] as number);
      rest = Math.floor(rest / (dims[axis] as number));
      if (own[axis] !== 1) index += place * stride;
      stride *= own[axis] as number;
    }
    return index;
  };
  return { dims, data: Float64Array.from({ length: count(dims) }, (_, i) => f(a.data[at(left, i)] as number, b.data[at(right, i)] as number)) };
}

/** Leading dimensions of b are those of a, or 1. */
function matmul(a: Array64, b: Array64): Array64 {
  const [m, k] = a.dims.slice(-2) as [number, number];
  const n = b.dims.at(-1) as number;
  const batch = a.dims.slice(0, -2);
  const data = new Float64Array(count(batch) * m * n);
  const repeated = elementwise({ dims: batch, data: new Float64Array(count(batch)) }, { dims: b.dims.slice(0, -2), data: Float64Array.from({ length: count(b.dims.slice(0, -2)) }, (_, i) => i) }, (_, y) => y);
  repeated.data.forEach((matrix, at) => {
    for (let i = 0; i < m; i++) {
      for (let p = 0; p < k; p++) {
        const x = a.data[(at * m + i) * k + p] as number;
        for (let j = 0; j < n; j++) (data[(at * m + i) * n + j] as number) += x * (b.data[(matrix * k + p) * n + j] as number);
      }
    }
  });
  return { dims: [...batch, m, n], data };
}

function rows(a: Array64, f: (row: Float64Array) => Float64Array): Array64 {
  const width = a.dims.at(-1) as number;
  const data = new Float64Array(a.data.length);
  for (let from = 0; from < data.length; from += width) data.set(f(a.data.subarray(from, from + width)), from);
  return { dims: a.dims, data };
}

function softmax(row: Float64Array): Float64Array {
  const max = row.reduce((largest, x) => Math.max(largest, x), -Infinity);
  const powers = row.map((x) => Math.exp(x - max));
  const sum = powers.reduce((total, x) => total + x, 0);
  return powers.map((x) => x / sum);
}

function normalized(row: Float64Array, gain: Float64Array, epsilon: number): Float64Array {
  const scale = 1 / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / row.length + epsilon);
  return row.map((x, i) => x * scale * (gain[i] as number));
}

function transposed({ dims, data }: Array64, perm: readonly number[]): Array64 {
  const size = perm.map((axis) => dims[axis] as number);
  const strides = perm.map((axis) => count(dims.slice(axis + 1)));
  const moved = Float64Array.from({ length: data.length }, (_, i) => {
    let [from, rest] = [0, i];
    for (let axis = size.length - 1; axis >= 0; axis--) {
      from += (rest % (size[axis] as number)) * (strides[axis] as number);
      rest = Math.floor(rest / (size[axis] as number));
    }
    return data[from] as number;
  });
  return { dims: size, data: moved };
}

function gathered(table: Array64, ids: Array64): Array64 {
  const width = table.dims[1] as number;
  const data = new Float64Array(ids.data.length * width);
  ids.data.forEach((id, i) => data.set(table.data.subarray(id * width, (id + 1) * width), i * width));
  return { dims: [...ids.dims, width], data };
}

function joined(a: Array64, b: Array64, axis: number): Array64 {
  const inner = count(a.dims.slice(axis + 1));
  const [left, right] = [a, b].map(({ dims }) => (dims[axis] as number) * inner) as [number, number];
  const data = new Float64Array(a.data.length + b.data.length);
  for (let i = 0; i * (left + right) < data.length; i++) {
    data.set(a.data.subarray(i * left, (i + 1) * left), i * (left + right));
    data.set(b.data.subarray(i * right, (i + 1) * right), i * (left + right) + left);
  }
  return { dims: a.dims.map((dim, i) => (i === axis ? dim + (b.dims[i] as number) : dim)), data };
}

function halves(a: Array64, axis: number): readonly Array64[] {
  const half = (a.dims[axis] as number) / 2;
  const inner = half * count(a.dims.slice(axis + 1));
  return [0, 1].map((side) => ({
    dims: a.dims.map((dim, i) => (i === axis ? half : dim)),
    data: Float64Array.from({ length: a.data.length / 2 }, (_, i) => a.data[Math.floor(i / inner) * 2 * inner + side * inner + (i % inner)] as number),
  }));
}
