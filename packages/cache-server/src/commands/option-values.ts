/** Values of options: what a word must look like, and what it means. */
import { parseByteCount } from '@tundish/diagnostics';
import { InvalidArgumentError } from 'commander';

/** `50GB`, `512 MiB`, or bytes alone. */
export function byteCount(text: string): number {
  const bytes = parseByteCount(text);
  if (bytes === undefined || bytes === 0) throw new InvalidArgumentError('It must be a size such as 50GB or 512MiB.');
  return bytes;
}

export function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65535) throw new InvalidArgumentError('It must be a whole number up to 65535.');
  return value;
}

export function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of 1 or more.');
  return value;
}

export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0) || value > 86_400) throw new InvalidArgumentError('It must be a number of seconds above 0.');
  return value;
}
