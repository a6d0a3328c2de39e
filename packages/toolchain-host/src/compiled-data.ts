/** Byte ranges of a compiled graph in its data file: the tensors themselves, and their prepacked forms. */
import { printable } from '@tundish/diagnostics';
import { hostError } from './errors.js';
import type { ExternalEntries } from './external-entries.js';

export interface DataRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Moves every range of one tensor. ONNX Runtime writes `offset` and `length` for the tensor and, for each prepacked form,
 * `prepacked_{i}` = `key|offset;length;checksum|…` (onnxruntime core/framework/prepacked_weights_container.h).
 *
 * @throws HOST_FILE_DAMAGED
 */
export function moveRanges(entries: ExternalEntries, move: (range: DataRange) => number): ExternalEntries {
  const range = { offset: byteNumber(entries.get('offset')), length: byteNumber(entries.get('length')) };
  return new Map(
    [...entries].map(([key, value]): [string, string] => {
      if (key === 'offset') return [key, String(move(range))];
      return [key, key.startsWith('prepacked_') ? movePrepacked(value, move) : value];
    }),
  );
}

/** All ranges of the tensor. @throws HOST_FILE_DAMAGED */
export function rangesOf(entries: ExternalEntries): DataRange[] {
  const ranges: DataRange[] = [];
  moveRanges(entries, (range) => {
    ranges.push(range);
    return range.offset;
  });
  return ranges;
}

/** Bytes that the data file of these tensors must have at least. @throws HOST_FILE_DAMAGED */
export function neededBytes(tensors: readonly ExternalEntries[]): number {
  return tensors.flatMap(rangesOf).reduce((size, range) => Math.max(size, range.offset + range.length), 0);
}

function movePrepacked(value: string, move: (range: DataRange) => number): string {
  const [key, ...blobs] = value.split('|');
  const moved = blobs.map((blob) => {
    const [offset, length, ...rest] = blob.split(';');
    return [String(move({ offset: byteNumber(offset), length: byteNumber(length) })), length, ...rest].join(';');
  });
  return [key, ...moved].join('|');
}

function byteNumber(text: string | undefined): number {
  const value = Number(text);
  if (text !== undefined && /^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw hostError('HOST_FILE_DAMAGED', { what: `a compiled graph refers to byte ${printable(text ?? 'nothing')} of its data file`, fix: 'compile the part again' });
}
