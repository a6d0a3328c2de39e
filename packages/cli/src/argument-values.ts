/** Values of options: what a word must look like, and what it means. */
import { parseByteCount } from '@tundish/diagnostics';
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

/** `20GB`, `500 MB`, `1.5GiB`, or bytes alone. */
export function byteCount(text: string): number {
  const bytes = parseByteCount(text);
  if (bytes === undefined) throw new InvalidArgumentError('It must be a size such as 20GB or 512MiB.');
  return bytes;
}

/** `a,b, c` */
export function commaWords(text: string): string[] {
  return text.split(',').map((word) => word.trim());
}

/** Of an option that may be given more than once. */
export function everyWord(word: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, word];
}

export function threadsOption(): Option {
  return new Option('--threads <n>', 'threads of one run; never changes a result').argParser(wholeNumber).default(2);
}
