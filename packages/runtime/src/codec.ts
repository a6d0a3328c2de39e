/** Real values to the element type of an input or output, and back. */
import { type IoTensor, type TensorData, encodeFloat16, widenFloat16 } from '@tundish/toolchain';
import { runtimeError } from './errors.js';

/** 1.5 * 2^52: adding and subtracting it rounds a float64 below 2^51 to an integer, ties to even. */
const ROUNDER = 6755399441055744;

const LARGEST: Readonly<Record<string, number>> = { uint8: 255, uint16: 65535 };

const ARRAYS = { float32: Float32Array, float16: Uint16Array, uint8: Uint8Array, uint16: Uint16Array, int32: Int32Array } as const;

/** An array of the tensor's element type, zero-filled. */
export function allocate({ dtype }: IoTensor, length: number): TensorData {
  return new ARRAYS[dtype](length);
}

/** The same in memory that threads share. */
export function allocateShared({ dtype }: IoTensor, length: number): TensorData {
  const Type: { readonly BYTES_PER_ELEMENT: number; new (memory: SharedArrayBuffer): TensorData } = ARRAYS[dtype];
  return new Type(new SharedArrayBuffer(length * Type.BYTES_PER_ELEMENT));
}

/**
 * One real value as the tensor stores it: itself, the bits of the nearest half float, or the code round(real / scale) + zeroPoint;
 * ties to even (down where the tensor says so), saturated.
 *
 * @throws TundishError RUNTIME_IO_MISMATCH for an integer tensor without quantization
 */
export function encode(tensor: IoTensor, real: number): number {
  if (tensor.dtype === 'float32') return real;
  if (tensor.dtype === 'float16') return encodeFloat16(real);
  return quantize(real, parameters(tensor));
}

/** As `encode`, for all values. */
export function encodeAll(tensor: IoTensor, reals: Float32Array | Float64Array): TensorData {
  const data = allocate(tensor, reals.length);
  if (tensor.dtype === 'float32') {
    data.set(reals);
    return data;
  }
  if (tensor.dtype === 'float16') {
    for (let i = 0; i < reals.length; i++) data[i] = encodeFloat16(reals[i] as number);
    return data;
  }
  const grid = parameters(tensor);
  for (let i = 0; i < reals.length; i++) data[i] = quantize(reals[i] as number, grid);
  return data;
}

/** Elements [start, start + count) as float32: (code - zeroPoint) * scale, or what they are. */
export function decode(tensor: IoTensor, data: TensorData, start: number, count: number): Float32Array {
  if (data instanceof Float32Array) return data.slice(start, start + count);
  if (tensor.dtype === 'float16') return widenFloat16((data as Uint16Array).subarray(start, start + count));
  const { scale, zeroPoint } = parameters(tensor);
  const reals = new Float32Array(count);
  for (let i = 0; i < count; i++) reals[i] = ((data[start + i] as number) - zeroPoint) * scale;
  return reals;
}

interface Grid {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly largest: number;
  readonly rounding?: 'down';
}

function quantize(real: number, { scale, zeroPoint, largest, rounding }: Grid): number {
  const scaled = real / scale;
  // Saturate before rounding: beyond 2^51 the rounding trick is no longer exact.
  if (scaled <= -zeroPoint) return 0;
  if (scaled >= largest - zeroPoint) return largest;
  return (rounding === 'down' ? Math.floor(scaled) : scaled + ROUNDER - ROUNDER) + zeroPoint;
}

function parameters(tensor: IoTensor): Grid {
  const largest = LARGEST[tensor.dtype];
  if (tensor.quantization === undefined || largest === undefined) {
    throw runtimeError('RUNTIME_IO_MISMATCH', { what: `${tensor.name} is ${tensor.dtype} and has no quantization`, fix: 'build the container again' });
  }
  return { ...tensor.quantization, largest };
}
