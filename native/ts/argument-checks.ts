/** What everything that calls the addon asks of its arguments before it computes. */
import { kernelError } from './errors.js';

const DEFAULT_THREADS = 2;
const MAX_THREADS = 64;

export function checkSizes(kernel: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    check(kernel, Number.isInteger(size) && size >= 0 && size <= 0x7fffffff, `${name} is ${size}, not a size`);
  }
}

export function checkLength(kernel: string, name: string, actual: number, expected: number): void {
  check(kernel, actual === expected, `${name} has ${actual} elements, the sizes ask for ${expected}`);
}

export function threadCount(kernel: string, threads: number = DEFAULT_THREADS): number {
  check(kernel, Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS, `threads is ${threads}, not in 1..${MAX_THREADS}`);
  return threads;
}

export function check(kernel: string, holds: boolean, why: string): void {
  if (holds) return;
  throw kernelError('KERNEL_ARGUMENT', { what: `kernel ${kernel} was called with arguments that do not fit`, why, fix: 'pass row-major arrays of exactly the stated shapes, and numbers within the stated bounds' });
}

/** An array that is written while another one is read must not share memory with it. */
export function checkApart(kernel: string, written: ArrayBufferView, read: ArrayBufferView): void {
  const shared = written.buffer === read.buffer && written.byteOffset < read.byteOffset + read.byteLength && read.byteOffset < written.byteOffset + written.byteLength;
  check(kernel, !shared, 'an array that is written overlaps one that is read');
}
