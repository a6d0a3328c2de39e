/** Operations of the matrix over rows and single elements: norms, functions, arithmetic, and changes of grid. */
import { ELEMENT_CODES } from '@tundish/toolchain-qairt';
import type { OneOp, OpGate, OpInput, OpTensor } from './one-op.js';
import { constant, gridded, integers, list, scalar, single, spread, type Width } from './tensors.js';

const { SFIXED_POINT_32, FLOAT_32, BOOL_8, INT_32 } = ELEMENT_CODES;
const [M, C] = [32, 64];
const DIMS = [1, 1, M, C];

const STEPS: OpGate = { max: 2, bias: 0.3 };
const EXACT: OpGate = { max: 0, bias: 0 };

/** @param f of one row */
function byRows(x: Float64Array, f: (row: Float64Array) => ArrayLike<number>): Float64Array {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += C) y.set(f(x.subarray(at, at + C)), at);
  return y;
}

function sumOf(row: Float64Array, f: (value: number) => number): number {
  return row.reduce((sum, value) => sum + f(value), 0);
}

function rmsNorm(width: 'u16' | 'u8'): OneOp {
  const gain = constant(spread(width, [C], -0.5, 2, 5));
  const beta = constant({ dims: [C], element: SFIXED_POINT_32, quantization: { kind: 'scale_offset', scale: 1e-9, offset: 0 }, data: new Int32Array(C) });
  return {
    type: 'RmsNorm', form: `u16, gain of ${width}`, inputs: [spread('u16', DIMS, -10, 30), gain, beta], outputs: [gridded('u16', DIMS, -4, 4)], gate: { max: 1.1, bias: 0.55 },
    parameters: [scalar('epsilon', 1e-5, FLOAT_32), list('axes', [1], [3])],
    exact: (x, gains) => [byRows(x as Float64Array, (row) => row.map((value, i) => (value / Math.sqrt(sumOf(row, (one) => one * one) / C + 1e-5)) * (gains?.[i] as number)))],
  };
}

const SOFTMAX: OneOp = {
  type: 'Softmax', form: 'u16', inputs: [spread('u16', DIMS, -12, 3)], outputs: [{ dims: DIMS, element: ELEMENT_CODES.UFIXED_POINT_16, quantization: { kind: 'scale_offset', scale: 1 / 65_535, offset: 0 } }],
  gate: { max: 8, relative: 0.003, bias: 0.5 }, parameters: [scalar('axis', 3), scalar('beta', 1, FLOAT_32)],
  exact: (x) => [byRows(x as Float64Array, (row) => row.map((value) => Math.exp(value) / sumOf(row, Math.exp)))],
};

const L2_NORM: OneOp = {
  type: 'L2Norm', form: 'u16', inputs: [spread('u16', DIMS, -3, 3)], outputs: [gridded('u16', DIMS, -1, 1)], gate: STEPS, parameters: [list('axes', [1], [3])],
  exact: (x) => [byRows(x as Float64Array, (row) => row.map((value) => value / Math.sqrt(sumOf(row, (one) => one * one))))],
};

const CUMULATIVE_SUM: OneOp = {
  type: 'CumulativeSum', form: 'u16', inputs: [spread('u16', DIMS, -1, 1)], outputs: [gridded('u16', DIMS, -16, 16)], gate: { max: 8, bias: 0.3 },
  parameters: [scalar('axis', 3), scalar('exclusive', 0, BOOL_8), scalar('reverse', 0, BOOL_8)],
  exact: (x) => [byRows(x as Float64Array, (row) => row.map((_, i) => sumOf(row.subarray(0, i + 1), (value) => value)))],
};

/** Cosines and sines as containers have them, around the code 32768; any factors do. */
const TABLE = [-32_768 / 32_767, 1] as const;

const ROTARY: OneOp = {
  type: 'RotaryEmbedding', form: 'u16, halves', inputs: [spread('u16', DIMS, -3, 3.5), spread('u16', [1, 1, M, C / 2], ...TABLE, 5), spread('u16', [1, 1, M, C / 2], ...TABLE, 6)], outputs: [gridded('u16', DIMS, -4.5, 4)],
  gate: { max: 1, bias: 0.15 }, parameters: [scalar('interleaved', 0, BOOL_8)],
  exact: (x, cos, sin) => [(x as Float64Array).map((value, i) => {
    const [row, column] = [Math.floor(i / C), i % C];
    const [at, other] = [(row * C) / 2 + (column % (C / 2)), x?.[row * C + ((column + C / 2) % C)] as number];
    return value * (cos?.[at] as number) + (column < C / 2 ? -other : other) * (sin?.[at] as number);
  })],
};

/** Sylvester's order: minus where an odd number of bits is set in both. */
function hadamardSign(i: number, j: number): number {
  let sign = 1;
  for (let both = i & j; both > 0; both &= both - 1) sign = -sign;
  return sign;
}

/** The result is cut off at the range of the input, whatever its own is. */
const HADAMARD: OneOp = {
  type: 'HadamardTransform', form: 'u16, cut off at the range of the input', inputs: [spread('u16', DIMS, -3, 3)], outputs: [gridded('u16', DIMS, -8, 8)], gate: { max: 2, bias: 0.4 },
  exact: (x) => [byRows(x as Float64Array, (row) => row.map((_, i) => Math.min(3, Math.max(-3, row.reduce((sum, value, j) => sum + hadamardSign(i, j) * value, 0) / Math.sqrt(C)))))],
};

function unary(type: string, [low, high, least = low]: readonly [low: number, high: number, least?: number], [first, last]: readonly [number, number], gate: OpGate, f: (x: number) => number): OneOp {
  return { type, form: 'u16', inputs: [spread('u16', DIMS, low, high, 1, least)], outputs: [gridded('u16', DIMS, first, last)], gate, exact: (x) => [(x as Float64Array).map(f)] };
}

function binary(type: string, [low, high]: readonly [number, number], gate: OpGate, f: (a: number, b: number) => number, [from, to, least = from]: readonly [low: number, high: number, least?: number] = [-2, 2]): OneOp {
  return {
    type, form: 'u16 and u16', inputs: [spread('u16', DIMS, -3, 3), spread('u16', DIMS, from, to, 9, least)], outputs: [gridded('u16', DIMS, low, high)], gate,
    exact: (a, b) => [(a as Float64Array).map((value, i) => f(value, b?.[i] as number))],
  };
}

/** Between grids: Convert of codes, Quantize from floats, Dequantize to them. */
function regrid(type: string, form: string, x: OpInput, y: OpTensor, gate: OpGate): OneOp {
  return { type, form, inputs: [x], outputs: [y], gate, exact: (values) => [values as Float64Array] };
}

const convert = (from: Width, to: Width): OneOp => regrid('Convert', `${from} to ${to}`, spread(from, DIMS, -3, 3), gridded(to, DIMS, -2.5, 4), to === 'u8' ? { max: 1, bias: 0.1 } : { max: 1, bias: 0.2 });
const wholes = (low: number, high: number): OpInput => ({ ...single(DIMS), data: Float32Array.from(integers(M * C, low, high), (value) => value / 64) });

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const tail = (x: number): number => 1 / (1 + 0.3275911 * x);
const erf = (x: number): number => Math.sign(x) * (1 - ((((1.061405429 * tail(Math.abs(x)) - 1.453152027) * tail(Math.abs(x)) + 1.421413741) * tail(Math.abs(x)) - 0.284496736) * tail(Math.abs(x)) + 0.254829592) * tail(Math.abs(x)) * Math.exp(-x * x));
/** Within 1e-6: a hundredth of a code here. */
const gelu = (x: number): number => (x * (1 + erf(x / Math.SQRT2))) / 2;

export const ELEMENTS: readonly OneOp[] = [
  rmsNorm('u16'), rmsNorm('u8'), SOFTMAX, L2_NORM, CUMULATIVE_SUM, ROTARY, HADAMARD,
  unary('Sigmoid', [-8, 8], [0, 1], { max: 8, bias: 1.5 }, sigmoid),
  unary('Tanh', [-4, 4], [-1, 1], { max: 8, bias: 1.5 }, Math.tanh),
  unary('Gelu', [-6, 6], [-0.25, 6], { max: 24, bias: 3 }, gelu),
  unary('ElementWiseNeg', [-3, 3], [-3, 3], STEPS, (x) => -x),
  unary('ElementWiseAbs', [-3, 3], [0, 3], STEPS, Math.abs),
  unary('ElementWiseExp', [-4, 1], [0, 3], { max: 8, bias: 1.5 }, Math.exp),
  unary('ElementWiseSquareRoot', [0, 9, 0.25], [0, 3], { max: 110, bias: 6 }, Math.sqrt),
  unary('ElementWiseRsqrt', [0, 9, 0.25], [0, 2], { max: 8, bias: 1.5 }, (x) => 1 / Math.sqrt(x)),
  binary('ElementWiseAdd', [-5, 5], STEPS, (a, b) => a + b),
  binary('ElementWiseSubtract', [-5, 5], STEPS, (a, b) => a - b),
  binary('ElementWiseMultiply', [-6, 6], STEPS, (a, b) => a * b),
  binary('ElementWiseDivide', [-6, 6], { max: 24, bias: 0.5 }, (a, b) => a / b, [0, 2, 0.5]),
  binary('ElementWiseMaximum', [-3, 3], STEPS, Math.max),
  binary('ElementWiseMinimum', [-3, 3], STEPS, Math.min),
  convert('u16', 'u8'), convert('u8', 'u16'), convert('u16', 'u16'),
  regrid('Quantize', 'fp32 to u16', wholes(-200, 200), gridded('u16', DIMS, -4, 4), STEPS),
  regrid('Quantize', 'fp32 to u8', wholes(-200, 200), gridded('u8', DIMS, -4, 4), STEPS),
  regrid('Dequantize', 'u16 to fp32', spread('u16', DIMS, -3, 3), single(DIMS), { max: 0.002, bias: 0.0005 }),
  regrid('Cast', 'int32 to fp32', { dims: DIMS, element: INT_32, data: integers(M * C, -1000, 1000) }, single(DIMS), EXACT),
];
