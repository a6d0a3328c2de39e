/** One operation as a graph by itself, what exact arithmetic makes of it, and how far its codes may be from that. */
import { widenFloat16 } from '@tundish/graph';
import type { QnnData, QnnParameter, QnnQuantization } from '@tundish/native/qnn';
import { type Calls, ELEMENT_CODES, TENSOR_KINDS, elementsOf } from '@tundish/toolchain-qairt';

export interface OpTensor {
  readonly dims: readonly number[];
  /** A code of ELEMENT_CODES. */
  readonly element: number;
  readonly quantization?: QnnQuantization;
}

export interface OpInput extends OpTensor {
  /** Dense, row-major; half floats as their bits. */
  readonly data: QnnData;
  readonly isConstant?: boolean;
}

/** Codes of the output, or shares of its root mean square where it has floats. An element may be off by `max` + `relative` * its code. */
export interface OpGate {
  readonly max: number;
  readonly bias: number;
  readonly relative?: number;
}

export interface OneOp {
  /** The vendor's name. */
  readonly type: string;
  /** What tells it from the others of its type. */
  readonly form: string;
  readonly inputs: readonly OpInput[];
  readonly outputs: readonly OpTensor[];
  readonly parameters?: readonly QnnParameter[];
  readonly float16?: boolean;
  /** What the compiler says to it, a code of ours; `exact` does not count then. */
  readonly refused?: string;
  /** SoC id of a chip for which the compiler at times does not come back, and takes memory until there is none. */
  readonly endlessOn?: number;
  /** Codes are others from run to run, all within the gate. */
  readonly varies?: boolean;
  readonly gate: OpGate;
  /** @param reals of all inputs @returns reals of the outputs */
  exact(...reals: readonly Float64Array[]): readonly ArrayLike<number>[];
}

export function titleOf({ type, form }: OneOp): string {
  return `${type}, ${form}`;
}

/** The graph for `composeGraph`; inputs are x0, x1 ..., outputs y0, y1 ... */
export function graphOf(op: OneOp): Omit<Calls['composeGraph']['input'], 'context'> {
  const tensor = (name: string, { dims, element, quantization }: OpTensor) => ({ name, element, dims: Uint32Array.from(dims), ...(quantization === undefined ? {} : { quantization }) });
  return {
    name: titleOf(op).replaceAll(/\W+/g, '_'),
    options: { optimization: 3, vtcmMegabytes: 8, ...(op.float16 === true ? { float16: true } : {}) },
    tensors: [
      ...op.inputs.map((input, i) => ({ ...tensor(`x${i}`, input), ...(input.isConstant === true ? { type: TENSOR_KINDS.constant, data: input.data } : { type: TENSOR_KINDS.input }) })),
      ...op.outputs.map((output, i) => ({ ...tensor(`y${i}`, output), type: TENSOR_KINDS.output })),
    ],
    operations: [{ name: 'op', type: op.type, inputs: op.inputs.map((_, i) => `x${i}`), outputs: op.outputs.map((_, i) => `y${i}`), parameters: op.parameters ?? [] }],
  };
}

/** What the graph takes. */
export function fedInputs({ inputs }: OneOp): Record<string, QnnData> {
  return Object.fromEntries(inputs.flatMap(({ isConstant, data }, i) => (isConstant === true ? [] : [[`x${i}`, data]])));
}

export interface OpError {
  readonly max: number;
  readonly bias: number;
  /** Of the gate; above 1 the operation fails. */
  readonly share: number;
}

/** @param results bytes of the outputs by name */
export function errorOf(op: OneOp, results: Readonly<Record<string, Uint8Array>>): OpError {
  const exact = op.exact(...op.inputs.map((input) => realsOf(input, input.data)));
  const errors = op.outputs.map((output, i) => outputError(output, elementsOf(results[`y${i}`] as Uint8Array, output.element), exact[i] as ArrayLike<number>, op.gate));
  return { max: Math.max(...errors.map(({ max }) => max)), bias: largest(errors.map(({ bias }) => bias)), share: Math.max(...errors.map(({ share }) => share)) };
}

function outputError(output: OpTensor, found: QnnData, exact: ArrayLike<number>, gate: OpGate): OpError {
  const isFloat = output.quantization === undefined && isFloating(output.element);
  const values = isFloat ? realsOf(output, found) : Float64Array.from(found);
  const unit = isFloat ? rootMeanSquare(exact) : 1;
  let [max, sum, share] = [0, 0, values.length === exact.length ? 0 : Infinity];
  for (let i = 0; i < values.length; i++) {
    const expected = expectedOf(output, exact[i] as number);
    const error = ((values[i] as number) - expected) / unit;
    max = Math.max(max, Math.abs(error));
    sum += error;
    share = Math.max(share, ratio(Math.abs(error), gate.max + (gate.relative ?? 0) * expected));
  }
  const bias = sum / values.length;
  return { max, bias, share: Math.max(share, ratio(Math.abs(bias), gate.bias)) };
}

/** Neither rounded nor outside of the codes that there are. */
function expectedOf({ element, quantization }: OpTensor, real: number): number {
  if (quantization?.kind !== 'scale_offset') return real;
  const [low, high] = RANGES[element] as readonly [number, number];
  return Math.min(high, Math.max(low, real / quantization.scale - quantization.offset));
}

const RANGES: Readonly<Record<number, readonly [number, number]>> = {
  [ELEMENT_CODES.UFIXED_POINT_8]: [0, 255], [ELEMENT_CODES.UFIXED_POINT_16]: [0, 65_535], [ELEMENT_CODES.SFIXED_POINT_8]: [-128, 127], [ELEMENT_CODES.SFIXED_POINT_16]: [-32_768, 32_767],
};

/** What the codes mean, by whatever encoding the tensor has. */
function realsOf({ dims, element, quantization }: OpTensor, data: QnnData): Float64Array {
  if (element === ELEMENT_CODES.FLOAT_16) return Float64Array.from(widenFloat16(data as Uint16Array));
  if (quantization === undefined) return Float64Array.from(data);
  if (quantization.kind === 'scale_offset') return Float64Array.from(data, (code) => (code + quantization.offset) * quantization.scale);
  if (!('axis' in quantization)) throw new Error(`no reals of ${quantization.kind}`);
  const { axis, scales } = quantization;
  const [channels, inner] = [dims[axis] as number, product(dims.slice(axis + 1))];
  const size = quantization.kind === 'blockwise' ? product(dims) / channels / quantization.blocks : 0;
  return Float64Array.from(data, (code, i) => {
    const channel = Math.floor(i / inner) % channels;
    const real = code * (scales[channel] as number);
    if (quantization.kind !== 'blockwise') return real;
    const row = Math.floor(i / (inner * channels)) * inner + (i % inner);
    return real * ((quantization.blockScales as Uint8Array)[channel * quantization.blocks + Math.floor(row / size)] as number);
  });
}

function isFloating(element: number): boolean {
  return element === ELEMENT_CODES.FLOAT_16 || element === ELEMENT_CODES.FLOAT_32;
}

function product(dims: readonly number[]): number {
  return dims.reduce((all, dim) => all * dim, 1);
}

function rootMeanSquare(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0) / values.length);
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most));
}

function ratio(size: number, limit: number): number {
  if (Number.isNaN(size)) return Infinity;
  return size === 0 ? 0 : size / limit;
}
