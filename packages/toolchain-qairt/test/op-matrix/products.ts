/** Products of the matrix of operations: activations with weights of every form, and activations with activations. */
import type { QnnParameter, QnnQuantization } from '@tundish/native/qnn';
import { ELEMENT_CODES } from '@tundish/toolchain-qairt';
import type { OneOp, OpGate, OpInput, OpTensor } from './one-op.js';
import { constant, floats, gridded, half, integers, list, scalar, single, spread } from './tensors.js';

const { SFIXED_POINT_4, SFIXED_POINT_8, SFIXED_POINT_16, FLOAT_16, FLOAT_32, BOOL_8 } = ELEMENT_CODES;
const [M, K, N] = [32, 256, 64];

/** Of the weights of one operator: where rows and channels lie. */
interface Operator {
  readonly type: 'Conv2d' | 'FullyConnected';
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly y: readonly number[];
  readonly channelAxis: number;
  readonly parameters: readonly QnnParameter[];
}

const OPERATORS: readonly Operator[] = [
  { type: 'Conv2d', x: [1, 1, M, K], weight: [1, 1, K, N], y: [1, 1, M, N], channelAxis: 3, parameters: [list('stride', [2], [1, 1]), list('pad_amount', [2, 2], [0, 0, 0, 0]), list('dilation', [2], [1, 1]), scalar('group', 1)] },
  { type: 'FullyConnected', x: [M, K], weight: [N, K], y: [M, N], channelAxis: 0, parameters: [] },
];

/** How weights are kept: a largest code, and the scale of a channel by which all forms have about the same reals. */
interface WeightForm {
  readonly name: string;
  readonly element?: number;
  readonly largest: number;
  readonly scale: number;
  quantization(axis: number, scales: Float32Array): QnnQuantization;
}

const lpbq = (size: number): WeightForm => ({
  name: `LPBQ in blocks of ${size}`, largest: 7, scale: 0.004,
  quantization: (axis, scales) => ({ kind: 'blockwise', axis, scales, blocks: K / size, bits: 4, blockScales: Uint8Array.from(integers((N * K) / size, 1, 15, 7)) }),
});
const channels = (bits: number, largest: number, scale: number): WeightForm => ({
  name: `int${bits} a channel`, largest, scale,
  quantization: (axis, scales) => (bits === 8 ? { kind: 'axis', axis, scales } : { kind: 'bitwidth_axis', bits, axis, scales, offsets: new Int32Array(N) }),
});

const INT8 = channels(8, 127, 0.002);
const INT4 = channels(4, 7, 0.035);
const INT2 = channels(2, 1, 0.2);
const INT16: WeightForm = { name: 'int16 a channel', element: SFIXED_POINT_16, largest: 32_767, scale: 8e-6, quantization: (axis, scales) => ({ kind: 'axis', axis, scales }) };
const LPBQ = [16, 32, 64, 128].map(lpbq);

function weightOf({ weight, channelAxis }: Operator, { element = SFIXED_POINT_8, largest, scale, quantization }: WeightForm): OpInput {
  const codes = integers(K * N, -largest, largest, 3);
  // Channels differ by up to half.
  const scales = Float32Array.from({ length: N }, (_, n) => scale * (1 + (n % 8) / 16));
  return constant({ dims: weight, element, quantization: quantization(channelAxis, scales), data: element === SFIXED_POINT_16 ? Int16Array.from(codes) : Int8Array.from(codes) });
}

/** Where 8 bits come out, whose steps are wider than what a sum loses. */
const NARROW_GATE: OpGate = { max: 1, bias: 0.1 };

/** Of factors of 16 bits: measured, 9.5 and 5.6, with no known law. */
const WIDE_GATE: OpGate = { max: 12, bias: 0.2 };

/** The sum loses its low 8 bits: u is what one unit of it is worth in codes of the output. */
function productGate(unit: number): OpGate {
  return { max: 2 + 400 * unit, bias: 0.1 + 170 * unit };
}

function scaleOf({ quantization }: OpTensor): number {
  if (quantization === undefined || !('scale' in quantization || 'scales' in quantization)) return 1;
  return 'scale' in quantization ? quantization.scale : Math.max(...quantization.scales);
}

function matrixProduct(x: Float64Array, weightAt: (k: number, n: number) => number): Float64Array {
  const y = new Float64Array(M * N);
  for (let m = 0; m < M; m++) for (let k = 0; k < K; k++) for (let n = 0; n < N; n++) y[m * N + n] = (y[m * N + n] as number) + (x[m * K + k] as number) * weightAt(k, n);
  return y;
}

function projection(operator: Operator, form: string, x: OpInput, weight: OpInput, y: OpTensor, gate: OpGate): OneOp {
  const isTurned = operator.type === 'FullyConnected';
  return {
    type: operator.type, form, inputs: [x, weight], outputs: [y], parameters: operator.parameters, gate,
    exact: (input, w) => [matrixProduct(input as Float64Array, (k, n) => (w as Float64Array)[isTurned ? n * K + k : k * N + n] as number)],
  };
}

function quantized(operator: Operator, width: 'u16' | 'u8', form: WeightForm): OneOp {
  const [x, weight, y] = [spread(width, operator.x, -3.3, 3.3), weightOf(operator, form), gridded(width, operator.y, -25, 25)];
  const unit = (scaleOf(x) * scaleOf(weight)) / scaleOf(y);
  const gate = width === 'u8' ? NARROW_GATE : form === INT16 ? WIDE_GATE : productGate(unit);
  const op = projection(operator, `${width} x ${form.name}`, x, weight, y, gate);
  // 8 of 140 processes with the build 2.51, in the first of these forms that was compiled.
  return operator.type === 'FullyConnected' && LPBQ.includes(form) ? { ...op, varies: true, endlessOn: 87 } : op;
}

/** Shares of the root mean square: sums of halves. */
const FLOAT_GATE: OpGate = { max: 0.01, bias: 0.001 };

function floating(operator: Operator): OneOp[] {
  const w16 = constant(floats(FLOAT_16, operator.weight, 5));
  const [x16, y16] = [floats(FLOAT_16, operator.x), half(operator.y)];
  const refused = { refused: 'QAIRT_OPERATION_UNSUPPORTED' };
  return [
    projection(operator, 'fp16 x fp16', x16, w16, y16, FLOAT_GATE),
    projection(operator, 'fp32 x fp32', floats(FLOAT_32, operator.x), constant(floats(FLOAT_32, operator.weight, 5)), single(operator.y), FLOAT_GATE),
    projection(operator, 'fp16 x int4 a channel', x16, weightOf(operator, INT4), y16, FLOAT_GATE),
    { ...projection(operator, 'fp16 x LPBQ in blocks of 32', x16, weightOf(operator, lpbq(32)), y16, FLOAT_GATE), ...refused },
  ].map((op) => ({ ...op, float16: true }));
}

/** Blocks with float scales, and codes that are four bits wide by type. */
function refusedWeights(): OneOp[] {
  const [convolution, connected] = OPERATORS as [Operator, Operator];
  const block: WeightForm = { ...INT4, name: 'blocks of 32 with float scales', quantization: (axis) => ({ kind: 'block', block: Uint32Array.of(...(axis === 0 ? [1, 32] : [1, 1, 32, 1])), scales: new Float32Array((K * N) / 32).fill(0.03), offsets: new Int32Array((K * N) / 32) }) };
  return [
    { ...quantized(connected, 'u16', block), refused: 'QAIRT_OPERATION_UNSUPPORTED' },
    { ...quantized(convolution, 'u16', { ...INT4, name: 'SFIXED_POINT_4', element: SFIXED_POINT_4 }), refused: 'QAIRT_ARGUMENT' },
  ];
}

function activations(second: 'u8' | 's8' | 'u16', [low, high]: readonly [number, number]): OneOp {
  const [a, b, y] = [spread('u16', [1, 1, M, K], -3.3, 3.3), spread(second, [1, 1, K, N], low, high, 11), gridded('u16', [1, 1, M, N], -25, 25)];
  const unit = (scaleOf(a) * scaleOf(b)) / scaleOf(y);
  return {
    type: 'MatMul', form: `u16 x ${second}`, inputs: [a, b], outputs: [y], gate: second === 'u16' ? WIDE_GATE : productGate(unit),
    parameters: [scalar('transpose_in0', 0, BOOL_8), scalar('transpose_in1', 0, BOOL_8)],
    exact: (left, right) => [matrixProduct(left as Float64Array, (k, n) => (right as Float64Array)[k * N + n] as number)],
  };
}

export const PRODUCTS: readonly OneOp[] = [
  ...OPERATORS.flatMap((operator) => [
    ...[INT8, INT4, INT2, ...LPBQ, INT16].map((form) => quantized(operator, 'u16', form)),
    ...[INT8, INT4].map((form) => quantized(operator, 'u8', form)),
    ...floating(operator),
  ]),
  ...refusedWeights(),
  // Zero points of 128 and 0, as caches have them, and another one.
  activations('u8', [-0.256, 0.254]), activations('s8', [-0.256, 0.254]), activations('u16', [-0.27, 0.27]),
  { ...activations('u8', [-0.254, 0.256]), form: 'u16 x u8 with zero point 127', gate: { max: 120, bias: 0.5 } },
];
