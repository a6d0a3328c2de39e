/** Tensors of operations that run by themselves: grids that their values fill, and numbers that are the same on every machine. */
import { encodeFloat16 } from '@tundish/graph';
import type { QnnData, QnnParameter } from '@tundish/native/qnn';
import { ELEMENT_CODES, TENSOR_KINDS } from '@tundish/toolchain-qairt';
import { roundHalfEven } from '../../../toolchain-host/test/small-graph.js';
import type { OpInput, OpTensor } from './one-op.js';

const { UFIXED_POINT_8, UFIXED_POINT_16, SFIXED_POINT_8, SFIXED_POINT_16, FLOAT_16, FLOAT_32, UINT_32, INT_32 } = ELEMENT_CODES;

/** Integers in [low, high], evenly spread, by a linear congruence. */
export function integers(count: number, low: number, high: number, seed = 1): Int32Array {
  let state = seed;
  return Int32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return low + Math.floor((state / 2 ** 32) * (high - low + 1));
  });
}

export type Width = 'u8' | 'u16' | 's8' | 's16';

interface WidthFacts {
  readonly element: number;
  readonly low: number;
  readonly high: number;
  from(codes: Iterable<number>): QnnData;
}

const WIDTHS: Readonly<Record<Width, WidthFacts>> = {
  u8: { element: UFIXED_POINT_8, low: 0, high: 255, from: (codes) => Uint8Array.from(codes) },
  u16: { element: UFIXED_POINT_16, low: 0, high: 65_535, from: (codes) => Uint16Array.from(codes) },
  s8: { element: SFIXED_POINT_8, low: -128, high: 127, from: (codes) => Int8Array.from(codes) },
  s16: { element: SFIXED_POINT_16, low: -32_768, high: 32_767, from: (codes) => Int16Array.from(codes) },
};

/** A tensor on a grid whose codes reach from `low` to `high`, as reals. */
export function gridded(width: Width, dims: readonly number[], low: number, high: number): OpTensor {
  const { element, low: first, high: last } = WIDTHS[width];
  const scale = Math.fround((high - low) / (last - first));
  return { dims, element, quantization: { kind: 'scale_offset', scale, offset: roundHalfEven(low / scale) - first } };
}

/** An input that has every code of its grid alike; with `least`, none below that real. */
export function spread(width: Width, dims: readonly number[], low: number, high: number, seed = 1, least = low): OpInput {
  const { low: first, high: last, from } = WIDTHS[width];
  const skipped = Math.ceil(((least - low) / (high - low)) * (last - first));
  return { ...gridded(width, dims, low, high), data: from(integers(count(dims), first + skipped, last, seed)) };
}

/** Floats in [-1, 1] that are halves too. */
export function floats(element: number, dims: readonly number[], seed = 1): OpInput {
  const bits = Uint16Array.from(integers(count(dims), -1024, 1024, seed), (value) => encodeFloat16(value / 1024));
  return { dims, element, data: element === FLOAT_16 ? bits : Float32Array.from(integers(count(dims), -1024, 1024, seed), (value) => value / 1024) };
}

export function half(dims: readonly number[]): OpTensor {
  return { dims, element: FLOAT_16 };
}

export function single(dims: readonly number[]): OpTensor {
  return { dims, element: FLOAT_32 };
}

export function indices(dims: readonly number[], data: readonly number[]): OpInput {
  return { dims, element: INT_32, data: Int32Array.from(data) };
}

export function constant(input: OpInput): OpInput {
  return { ...input, isConstant: true };
}

export function list(name: string, dims: readonly number[], data: readonly number[], isSigned = false): QnnParameter {
  return { name, tensor: { name: `p_${name}`, type: TENSOR_KINDS.constant, element: isSigned ? INT_32 : UINT_32, dims: Uint32Array.from(dims), data: isSigned ? Int32Array.from(data) : Uint32Array.from(data) } };
}

export function scalar(name: string, value: number, element: number = UINT_32): QnnParameter {
  return { name, element, value };
}

export function count(dims: readonly number[]): number {
  return dims.reduce((all, dim) => all * dim, 1);
}
