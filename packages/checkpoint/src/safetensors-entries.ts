/** The entries of a safetensors header: each tensor against its own dtype and shape, all of them against the file. */
import { printable } from '@tundish/diagnostics';
import { SAFETENSORS_DTYPES, dtypeBytes, isSafetensorsDtype } from './dtype.js';
import type { SafetensorsDtype } from './dtype.js';
import { fault } from './errors.js';
import { describeJson, isJsonObject } from './strict-json.js';
import type { JsonObject, JsonValue } from './strict-json.js';

export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  /** Row-major; empty for a scalar. */
  readonly shape: readonly number[];
  /** Absolute file offset of the first byte; not necessarily aligned. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** The file that a header describes: data section at `dataStart`, `dataBytes` long. */
export interface HeaderPlace {
  readonly path: string;
  readonly dataStart: number;
  readonly dataBytes: number;
}

/**
 * @returns tensors in the order of their bytes, and `__metadata__`
 * @throws TundishError SAFETENSORS_TENSOR_INVALID, SAFETENSORS_LAYOUT_INVALID, SAFETENSORS_TRUNCATED, SAFETENSORS_HEADER_INVALID
 */
export function readEntries(header: JsonObject, place: HeaderPlace): { tensors: Map<string, SafetensorsTensor>; metadata: Map<string, string> } {
  const tensors: SafetensorsTensor[] = [];
  for (const [name, entry] of header) {
    if (name !== '__metadata__') tensors.push(readEntry(name, entry, place));
  }
  tensors.sort((a, b) => a.offset - b.offset || a.length - b.length);
  checkLayout(tensors, place);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata: readMetadata(header.get('__metadata__'), place) };
}

function readEntry(name: string, entry: JsonValue, place: HeaderPlace): SafetensorsTensor {
  if (!isJsonObject(entry)) throw invalid(name, `must be an object, found ${describeJson(entry)}`, place);
  for (const field of ['dtype', 'shape', 'data_offsets']) {
    if (!entry.has(field)) throw invalid(name, `${field} is missing`, place);
  }
  const dtype = entry.get('dtype');
  if (typeof dtype !== 'string' || !isSafetensorsDtype(dtype)) {
    throw invalid(name, `unknown dtype ${printable(typeof dtype === 'string' ? dtype : describeJson(dtype))}, known are ${SAFETENSORS_DTYPES.join(' ')}`, place);
  }
  const shape = readIntegers(name, 'shape dims', entry.get('shape'), place);
  const { begin, end } = readOffsets(name, entry.get('data_offsets'), place);
  const needed = shape.reduce((count, dim) => count * BigInt(dim), 1n) * BigInt(dtypeBytes(dtype));
  if (needed > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(name, `element count of ${dtype} [${shape.join(',')}] overflows`, place);
  if (needed !== BigInt(end - begin)) throw invalid(name, `${dtype} [${shape.join(',')}] is ${needed} bytes, data_offsets span ${end - begin}`, place, begin);
  return { name, dtype, shape, offset: place.dataStart + begin, length: end - begin };
}

function readOffsets(name: string, value: JsonValue | undefined, place: HeaderPlace): { begin: number; end: number } {
  const [begin, end, ...rest] = readIntegers(name, 'data_offsets', value, place);
  if (begin === undefined || end === undefined || rest.length > 0) throw invalid(name, 'data_offsets must be two integers', place);
  if (begin > end) throw invalid(name, `data_offsets begin ${begin} after end ${end}`, place);
  if (end <= place.dataBytes) return { begin, end };
  throw fault('SAFETENSORS_TRUNCATED', {
    what: `${place.path}: tensor ${printable(name)}: data_offsets ${begin}..${end} end beyond the data section, which has ${place.dataBytes} bytes`,
    evidence: { path: place.path, offset: place.dataStart + begin },
    fix: 'The file is cut short or damaged: download it again.',
  });
}

function readIntegers(name: string, what: string, value: JsonValue | undefined, place: HeaderPlace): number[] {
  if (!Array.isArray(value)) throw invalid(name, `${what} must be a list of non-negative integers, found ${describeJson(value)}`, place);
  return value.map((item: JsonValue) => {
    if (typeof item === 'number' && Number.isSafeInteger(item) && item >= 0) return item;
    const large = typeof item === 'number' && Number.isInteger(item) && item > 0;
    throw invalid(name, large ? `${what}: ${item} is out of range (2^53 or more)` : `${what} must be non-negative integers, found ${describeJson(item)}`, place);
  });
}

/** The format forbids holes: sorted by begin, each tensor starts where the one before it ends. */
function checkLayout(tensors: readonly SafetensorsTensor[], place: HeaderPlace): void {
  let previous = '';
  let free = place.dataStart;
  for (const { name, offset, length } of tensors) {
    if (offset < free) throw layout(place, `tensors ${printable(previous)} and ${printable(name)} overlap in ${free - offset} bytes`, offset);
    if (offset > free) throw layout(place, `gap of ${offset - free} bytes before ${printable(name)}`, free);
    previous = name;
    free = offset + length;
  }
  const rest = place.dataStart + place.dataBytes - free;
  if (rest > 0) throw layout(place, `file has ${rest} bytes beyond the last tensor`, free);
}

function readMetadata(value: JsonValue | undefined, place: HeaderPlace): Map<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined) return metadata;
  const complain = (found: string): Error =>
    fault('SAFETENSORS_HEADER_INVALID', {
      what: `${place.path}: __metadata__ must map strings to strings, found ${found}`,
      evidence: { path: place.path },
      fix: 'Write the file again with a current safetensors library.',
    });
  if (!isJsonObject(value)) throw complain(describeJson(value));
  for (const [key, text] of value) {
    if (typeof text !== 'string') throw complain(`${printable(key)}: ${describeJson(text)}`);
    metadata.set(key, text);
  }
  return metadata;
}

function invalid(name: string, what: string, place: HeaderPlace, offset?: number): Error {
  return fault('SAFETENSORS_TENSOR_INVALID', {
    what: `${place.path}: tensor ${printable(name)}: ${what}`,
    evidence: { path: place.path, ...(offset === undefined ? {} : { offset: place.dataStart + offset }) },
    fix: 'Download the file again, or write it again with a current safetensors library.',
  });
}

function layout(place: HeaderPlace, what: string, offset: number): Error {
  return fault('SAFETENSORS_LAYOUT_INVALID', {
    what: `${place.path}: ${what}`,
    why: 'The format demands that every byte of the data section belongs to exactly one tensor.',
    evidence: { path: place.path, offset },
    fix: 'Download the file again, or write it again with a current safetensors library.',
  });
}
