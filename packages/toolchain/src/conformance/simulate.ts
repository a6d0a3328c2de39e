/** Executes a graph in float64 and passes every encoded value through its codes: what a toolchain's result is held against. */
import { DataType, type Graph, type PerTensorEncoding, type Tensor, elementCount } from '@tundish/graph';
import { type Array64, OPERATORS } from './simulate-ops.js';

export type { Array64 } from './simulate-ops.js';

const LIMITS = { uint8: [0, 255], uint16: [0, 65535], int8: [-128, 127], int16: [-32768, 32767] } as const;

/** Nearest code, ties to the even one, saturated. */
export function encode(value: number, encoding: PerTensorEncoding): number {
  const [lowest, highest] = LIMITS[encoding.dtype];
  const ratio = value / encoding.scale;
  const floor = Math.floor(ratio);
  const up = ratio - floor > 0.5 || (ratio - floor === 0.5 && floor % 2 !== 0);
  return Math.min(highest, Math.max(lowest, floor + (up ? 1 : 0) + encoding.zeroPoint));
}

/** Real value of a code. */
export function decode(code: number, encoding: PerTensorEncoding): number {
  return (code - encoding.zeroPoint) * encoding.scale;
}

export interface SimulationRequest {
  readonly graph: Graph;
  /** Real values (not codes) and token ids. */
  readonly inputs: ReadonlyMap<string, ArrayLike<number>>;
  /** Content of the one file that external tensors are ranges of. */
  readonly weights: Uint8Array;
  readonly encodings?: ReadonlyMap<string, PerTensorEncoding>;
  /**
   * Real values that go on in place of the computed ones: one cache code that fell on the other side of a rounding edge
   * is 256 codes of uint16 to everything behind it, so results are judged link by link.
   */
  readonly taken?: ReadonlyMap<string, Float64Array>;
}

/** Computed values of all graph values by name. */
export function simulate({ graph, inputs, weights, encodings, taken }: SimulationRequest): Map<string, Array64> {
  const values = new Map<string, Array64>();
  const computed = new Map<string, Array64>();
  const set = (name: string, array: Array64): void => {
    const encoding = encodings?.get(name);
    const result = encoding === undefined ? array : { dims: array.dims, data: array.data.map((x) => decode(encode(x, encoding), encoding)) };
    computed.set(name, result);
    values.set(name, { dims: result.dims, data: taken?.get(name) ?? result.data });
  };
  for (const value of graph.initializers) values.set(value.name, tensorValues(value.tensor as Tensor, weights));
  for (const value of graph.inputs) set(value.name, { dims: (value.shape ?? []) as number[], data: Float64Array.from(inputs.get(value.name) ?? []) });
  for (const node of graph.sortedNodes()) {
    const operands = node.inputs.map((input) => values.get(input?.name ?? '') as Array64);
    (OPERATORS[node.opType]?.(node, operands) ?? []).forEach((result, i) => set(node.output(i).name, result));
  }
  return computed;
}

function tensorValues(tensor: Tensor, weights: Uint8Array): Array64 {
  const bytes = tensor.kind === 'inline' ? tensor.data : weights.subarray(tensor.offset, tensor.offset + tensor.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read: Partial<Record<DataType, (i: number) => number>> = {
    [DataType.FLOAT]: (i) => view.getFloat32(4 * i, true),
    [DataType.UINT8]: (i) => view.getUint8(i),
    [DataType.INT8]: (i) => view.getInt8(i),
    [DataType.UINT16]: (i) => view.getUint16(2 * i, true),
    [DataType.INT64]: (i) => Number(view.getBigInt64(8 * i, true)),
    [DataType.UINT4]: (i) => (view.getUint8(i >> 1) >> (4 * (i & 1))) & 15,
  };
  const element = read[tensor.dtype] ?? (() => NaN);
  return { dims: tensor.dims, data: Float64Array.from({ length: elementCount(tensor.dims) }, (_, i) => element(i)) };
}
