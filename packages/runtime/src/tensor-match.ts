/** Equality of tensor descriptors, and the error for graphs that do not fit each other. */
import type { IoTensor } from '@tundish/toolchain';
import { printable } from '@tundish/diagnostics';
import { runtimeError } from './errors.js';

/** Same element type, shape and quantization. */
export function sameTensor(a: IoTensor, b: IoTensor): boolean {
  return a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((dim, i) => dim === b.shape[i]) && sameQuantization(a, b);
}

export function sameQuantization(a: IoTensor, b: IoTensor): boolean {
  const [left, right] = [a.quantization, b.quantization];
  return left?.scale === right?.scale && left?.zeroPoint === right?.zeroPoint && String(left?.headScales) === String(right?.headScales) && left?.rounding === right?.rounding;
}

/** Float tensors carry no quantization, uint8 and uint16 do; int32 is for token ids only. */
export function isReal({ dtype, quantization }: IoTensor): boolean {
  return dtype !== 'int32' && (dtype === 'float32' || dtype === 'float16') === (quantization === undefined);
}

export function mismatch(what: string): Error {
  return runtimeError('RUNTIME_IO_MISMATCH', {
    what: printable(what),
    why: 'the parts were compiled from different models or plans',
    fix: 'build the container again',
  });
}
