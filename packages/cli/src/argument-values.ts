/** Values of options: what a word must look like, and what it means. */
import { InvalidArgumentError, Option } from 'commander';

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('It must be a whole number of 0 or more.');
  return value;
}

export function tokenIds(text: string): number[] {
  return text.split(',').map(wholeNumber);
}

export function realNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError('It must be a number of 0 or more.');
  return value;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 };

/** `20GB`, `500 MB`, `1.5GiB`, or bytes alone. */
export function byteCount(text: string): number {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const factor = UNITS[(unit ?? '?').toLowerCase()];
  if (number === undefined || factor === undefined) throw new InvalidArgumentError('It must be a size such as 20GB or 512MiB.');
  return Math.floor(Number(number) * factor);
}

export function threadsOption(): Option {
  return new Option('--threads <n>', 'threads of one run; never changes a result').argParser(wholeNumber).default(2);
}
