/** The header of a safetensors file: what is where, read without touching a tensor byte. */
import type { FileHandle } from 'node:fs/promises';
import { printable } from '@tundish/diagnostics';
import { fault } from './errors.js';
import { openRegularFile, readRange } from './read-file.js';
import { readEntries } from './safetensors-entries.js';
import type { SafetensorsTensor } from './safetensors-entries.js';
import { isJsonObject, parseStrictJson } from './strict-json.js';
import type { JsonFault, JsonObject } from './strict-json.js';

export type { SafetensorsTensor } from './safetensors-entries.js';

/** The reference reader's limit. */
const HEADER_LIMIT = 100_000_000;
const LENGTH_FIELD = 8;

export interface SafetensorsHeader {
  readonly path: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** In the order of their bytes in the file. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  /** `__metadata__` of the header. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads and checks the header: every tensor inside the file, none overlapping, no byte left over.
 * Allocates nothing on the word of the file: the length field is held against the file's size and the limit first.
 *
 * @throws TundishError SAFETENSORS_*, CHECKPOINT_FILE_NOT_FOUND, CHECKPOINT_FILE_UNREADABLE
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  const { handle, size } = await openRegularFile(path);
  try {
    const length = await readHeaderLength(handle, path, size);
    const header = parseHeader(await readRange(handle, path, LENGTH_FIELD, length), path);
    const dataStart = LENGTH_FIELD + length;
    const { tensors, metadata } = readEntries(header, { path, dataStart, dataBytes: size - dataStart });
    return { path, size, tensors, metadata };
  } finally {
    await handle.close();
  }
}

async function readHeaderLength(handle: FileHandle, path: string, size: number): Promise<number> {
  if (size < LENGTH_FIELD) {
    const what = size === 0 ? 'file is empty (0 bytes), a safetensors file has at least 8' : `file has ${size} bytes; the length field needs 8`;
    throw truncated(path, what, 0);
  }
  const start = await readRange(handle, path, 0, Math.min(size, 32));
  const claimed = new DataView(start.buffer).getBigUint64(0, true);
  if (claimed <= BigInt(HEADER_LIMIT) && claimed <= BigInt(size - LENGTH_FIELD)) {
    if (claimed === 0n) throw invalidHeader(path, 'header is empty (length 0)', 'A header is a JSON object, at least {}.', 0);
    return Number(claimed);
  }
  const other = recognise(start);
  if (other !== undefined) {
    throw fault('SAFETENSORS_NOT_SAFETENSORS', { what: `${path} is not safetensors: ${other.what}`, evidence: { path, offset: 0 }, fix: other.fix });
  }
  if (claimed > BigInt(HEADER_LIMIT)) {
    throw invalidHeader(path, `header length ${claimed} is too large`, `The limit is ${HEADER_LIMIT.toLocaleString('en-US')} bytes; nothing was allocated.`, 0);
  }
  throw truncated(path, `header claims ${claimed} bytes, the file holds ${size - LENGTH_FIELD} after the length field`, 0);
}

/** What else carries the name of a weight file; only asked once the length field makes no sense. */
function recognise(start: Uint8Array): { readonly what: string; readonly fix: string } | undefined {
  const text = Buffer.from(start).toString('latin1');
  if (text.startsWith('version https://git-lfs')) return { what: 'this is a Git LFS pointer', fix: 'Run: git lfs pull' };
  const convert = 'Pickle files can execute code and are never read; convert the model to safetensors first.';
  if (text.startsWith('PK\u0003\u0004')) return { what: 'it looks like a torch zip/pickle', fix: convert };
  const protocol = start[1] ?? 0;
  if (start[0] === 0x80 && protocol >= 2 && protocol <= 5) return { what: `it looks like a pickle (protocol ${protocol})`, fix: convert };
  return undefined;
}

function parseHeader(bytes: Uint8Array, path: string): JsonObject {
  if (bytes[0] !== 0x7b) {
    const found = printable(JSON.stringify(String.fromCharCode(bytes[0] ?? 0)));
    const what = bytes[0] === 0x5b ? 'header must be an object, a list was found' : `header must start with "{", ${found} was found`;
    throw invalidHeader(path, what, 'The format demands a JSON object that begins at byte 8.', LENGTH_FIELD);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalidHeader(path, 'header is not valid UTF-8', 'Tensor names would be changed by reading them leniently.', LENGTH_FIELD);
  }
  const parsed = parseStrictJson(text);
  if ('fault' in parsed) throw badJson(path, text, parsed.fault);
  if (!isJsonObject(parsed.value)) throw invalidHeader(path, 'header must be an object', undefined, LENGTH_FIELD);
  return parsed.value;
}

function badJson(path: string, text: string, json: JsonFault): Error {
  const offset = LENGTH_FIELD + Buffer.byteLength(text.slice(0, json.offset));
  if (json.kind === 'duplicate-key') {
    const key = printable(json.key ?? '');
    const what = json.parents.length === 0 ? `duplicate tensor name ${key}` : `duplicate field ${key} in ${printable(json.parents.join('.'))}`;
    return invalidHeader(path, what, 'Readers disagree about which of the two counts.', offset);
  }
  return invalidHeader(path, `header is not valid JSON: ${json.message}`, undefined, offset);
}

function invalidHeader(path: string, what: string, why: string | undefined, offset: number): Error {
  const fix = 'Download the file again, or write it again with a current safetensors library.';
  return fault('SAFETENSORS_HEADER_INVALID', { what: `${path}: ${what}`, evidence: { path, offset }, fix, ...(why === undefined ? {} : { why }) });
}

function truncated(path: string, what: string, offset: number): Error {
  return fault('SAFETENSORS_TRUNCATED', { what: `${path}: ${what}`, evidence: { path, offset }, fix: 'The file is cut short: download it again.' });
}
