/** Reads the safetensors files of the fixtures. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadKernels } from '@tundish/native';

const ARRAYS = { F32: Float32Array, BF16: Uint16Array, F16: Uint16Array, I8: Int8Array, U8: Uint8Array } as const;

export interface GoldenTensor {
  readonly dtype: keyof typeof ARRAYS;
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint16Array | Int8Array | Uint8Array;
}

/** Tensors of `fixtures/<folder>/<name>.safetensors`, by name. */
export function goldenTensors(name: string, folder = 'solvers'): Readonly<Record<string, GoldenTensor>> {
  const file = readFileSync(fileURLToPath(new URL(`fixtures/${folder}/${name}.safetensors`, import.meta.url)));
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, start)) as Record<string, { dtype: keyof typeof ARRAYS; shape: number[]; data_offsets: [number, number] }>;
  return Object.fromEntries(Object.entries(header).filter(([key]) => key !== '__metadata__').map(([key, { dtype, shape, data_offsets: [from, to] }]) => (
    [key, { dtype, shape, data: new ARRAYS[dtype](new Uint8Array(file.subarray(start + from, start + to)).buffer) }]
  )));
}

const kernels = loadKernels();

/** Float32 of a floating-point tensor. */
export function floats({ dtype, data }: GoldenTensor): Float32Array {
  if (dtype === 'F32') return data as Float32Array;
  return dtype === 'BF16' ? kernels.widenBf16(data as Uint16Array) : kernels.widenF16(data as Uint16Array);
}

export interface LayerProblem {
  readonly w: Float32Array;
  readonly n: number;
  readonly k: number;
  /** Inputs of the quantized stream [tokens, k]. */
  readonly x: Float32Array;
  readonly tokens: number;
  /** x'x / tokens. */
  readonly gram: Float32Array;
}

export function layerProblem(name: string): LayerProblem {
  const { W, X } = { ...goldenTensors(`${name}.w`), ...goldenTensors(`${name}.x`) } as { W: GoldenTensor; X: GoldenTensor };
  const [n, k] = W.shape as [number, number];
  const x = floats(X);
  const tokens = X.shape[0] as number;
  return { w: floats(W), n, k, x, tokens, gram: crossOf(x, x, tokens, k) };
}

/** a'b / tokens, summed in float64. */
export function crossOf(a: Float32Array, b: Float32Array, tokens: number, k: number): Float32Array {
  const sums = new Float64Array(k * k);
  for (let t = 0; t < tokens; t++) {
    for (let i = 0; i < k; i++) {
      const value = a[t * k + i] as number;
      for (let j = 0; j < k; j++) sums[i * k + j] = (sums[i * k + j] as number) + value * (b[t * k + j] as number);
    }
  }
  return Float32Array.from(sums, (sum) => sum / tokens);
}
