/** Small graphs for the compiler: one addition, and one projection as it compiles, or does not. */
import type { QnnQuantization } from '@tundish/native/qnn';
import type { Calls } from '@tundish/toolchain-qairt';
import { ELEMENT_CODES, TENSOR_KINDS } from '@tundish/toolchain-qairt';

type Graph = Omit<Calls['composeGraph']['input'], 'context'>;

const OPTIONS = { optimization: 3, vtcmMegabytes: 8 };

/** y = x + x, one row of 128 codes of 8 bits: code y = 2 * code x - 128. */
export function additionGraph(name = 'addition'): Graph {
  const codes = { element: ELEMENT_CODES.UFIXED_POINT_8, dims: Uint32Array.of(1, 1, 4, 32), quantization: { kind: 'scale_offset', scale: 0.125, offset: -128 } } as const;
  return {
    name,
    options: OPTIONS,
    tensors: [{ name: 'x', type: TENSOR_KINDS.input, ...codes }, { name: 'y', type: TENSOR_KINDS.output, ...codes }],
    operations: [{ name: 'add', type: 'ElementWiseAdd', inputs: ['x', 'x'], outputs: ['y'], parameters: [] }],
  };
}

export const K = 64;
export const N = 32;

export interface Projection {
  readonly ar: number;
  /** 16-bit codes, or half floats, which no LPBQ projection takes. */
  readonly activations: 'codes' | 'half';
  /** LPBQ when absent; per channel in 4 or 8 bits, all with the same real values. */
  readonly encoding?: 'axis' | 'bitwidth_axis';
  readonly weights: Int8Array | { readonly path: string; readonly offset: number; readonly bytes: number };
}

/** A 1x1 convolution of weights [K, N], every scale 0.01 * 9; LPBQ has blocks of 32. */
export function projectionGraph({ ar, activations, encoding, weights }: Projection): Graph {
  const of = (scale: number) => (activations === 'half' ? { element: ELEMENT_CODES.FLOAT_16 } : { element: ELEMENT_CODES.UFIXED_POINT_16, quantization: { kind: 'scale_offset', scale, offset: -32768 } as const });
  const list = (name: string, dims: readonly number[], data: readonly number[]) => ({ name, tensor: { name: `projection_${name}`, type: TENSOR_KINDS.constant, element: ELEMENT_CODES.UINT_32, dims: Uint32Array.from(dims), data: Uint32Array.from(data) } });
  return {
    name: `ar${ar}`,
    options: { ...OPTIONS, ...(activations === 'half' ? { float16: true } : {}) },
    tensors: [
      { name: 'x', type: TENSOR_KINDS.input, dims: Uint32Array.of(1, 1, ar, K), ...of(1e-4) },
      { name: 'y', type: TENSOR_KINDS.output, dims: Uint32Array.of(1, 1, ar, N), ...of(1e-2) },
      {
        name: 'w', type: TENSOR_KINDS.constant, element: ELEMENT_CODES.SFIXED_POINT_8, dims: Uint32Array.of(1, 1, K, N), data: weights,
        quantization: encodingOf(encoding),
      },
    ],
    operations: [{
      name: 'projection', type: 'Conv2d', inputs: ['x', 'w'], outputs: ['y'],
      parameters: [list('stride', [2], [1, 1]), list('pad_amount', [2, 2], [0, 0, 0, 0]), list('dilation', [2], [1, 1]), { name: 'group', element: ELEMENT_CODES.UINT_32, value: 1 }],
    }],
  };
}

/** So many additions behind each other that finalizing takes seconds. */
export function longGraph(additions = 1500): Graph {
  const value = (i: number): string => (i === 0 ? 'x' : i === additions ? 'y' : `value_${i}`);
  const kind = (i: number): number => (i === 0 ? TENSOR_KINDS.input : i === additions ? TENSOR_KINDS.output : TENSOR_KINDS.inside);
  return {
    name: 'long',
    options: OPTIONS,
    tensors: Array.from({ length: additions + 1 }, (_, i) => ({ name: value(i), type: kind(i), element: ELEMENT_CODES.UFIXED_POINT_8, dims: Uint32Array.of(1, 1, 64, 512), quantization: { kind: 'scale_offset', scale: 0.125 + i / 1000, offset: -128 } })),
    operations: Array.from({ length: additions }, (_, i) => ({ name: `add_${i}`, type: 'ElementWiseAdd', inputs: [value(i), value(Math.max(0, i - 1))], outputs: [value(i + 1)], parameters: [] })),
  };
}

function encodingOf(encoding: Projection['encoding']): QnnQuantization {
  const channels = { axis: 3, scales: new Float32Array(N).fill(0.09) };
  if (encoding === 'axis') return { kind: 'axis', ...channels };
  if (encoding === 'bitwidth_axis') return { kind: 'bitwidth_axis', bits: 4, ...channels, offsets: new Int32Array(N) };
  return { kind: 'blockwise', axis: 3, scales: new Float32Array(N).fill(0.01), blocks: K / 32, bits: 4, blockScales: new Uint8Array((N * K) / 32).fill(9) };
}

/** Every code from -7 to 7. */
export function projectionWeights(): Int8Array {
  return Int8Array.from({ length: K * N }, (_, i) => ((i * 7) % 15) - 7);
}
