/** The header of a GGUF file: metadata and tensor table, read without touching a tensor byte. */
import { printable } from '@tundish/diagnostics';
import { fault } from '../errors.js';
import { openRegularFile, readRange } from '../read-file.js';
import { HeaderCursor } from './header-cursor.js';
import type { GgufValue } from './metadata-values.js';
import { readMetadata } from './read-metadata.js';
import { readTensors } from './read-tensors.js';
import type { GgufTensor } from './read-tensors.js';

const MAGIC_AND_VERSION = 8;
const FIXED_PART = 24;
const DEFAULT_ALIGNMENT = 32;
/** First bytes of what came before GGUF, in either byte order. */
const OLD_MAGICS: readonly string[] = ['GGML', 'lmgg', 'ggml', 'fmgg', 'ggmf', 'tjgg', 'ggjt', 'algg', 'ggla'];

export interface GgufHeader {
  readonly path: string;
  /** Bytes of the whole file. */
  readonly size: number;
  readonly version: number;
  /** `general.architecture`. */
  readonly architecture: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/**
 * Reads and checks the header with the rules of llama.cpp's reader (ggml/src/gguf.cpp), little-endian versions 2 and 3:
 * counts and lengths are held against the size of the file before anything is made of them.
 *
 * @throws TundishError GGUF_NOT_GGUF, GGUF_VERSION_UNSUPPORTED, GGUF_TRUNCATED, GGUF_HEADER_INVALID, GGUF_METADATA_INVALID,
 * GGUF_TENSOR_INVALID, GGUF_LAYOUT_INVALID, CHECKPOINT_FILE_NOT_FOUND, CHECKPOINT_FILE_UNREADABLE
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const { handle, size } = await openRegularFile(path);
  try {
    const version = checkStart(path, size, await readRange(handle, path, 0, Math.min(size, MAGIC_AND_VERSION)));
    const cursor = new HeaderCursor(handle, path, size);
    await cursor.u64();
    const tensorCount = checkCount(cursor, 'tensor', await cursor.u64());
    const keyCount = checkCount(cursor, 'key', await cursor.u64());
    const metadata = await readMetadata(cursor, keyCount);
    const architecture = readArchitecture(path, metadata);
    return { path, size, version, architecture, metadata, tensors: await readTensors(cursor, tensorCount, readAlignment(path, metadata)) };
  } finally {
    await handle.close();
  }
}

/** @returns the version */
function checkStart(path: string, size: number, start: Uint8Array): number {
  const magic = Buffer.from(start.subarray(0, 4)).toString('latin1');
  if (size >= 4 && magic !== 'GGUF') {
    const old = OLD_MAGICS.includes(magic);
    const found = old ? 'old GGML format' : `it begins with ${printable(JSON.stringify(magic))}`;
    const fix = old ? 'Convert the model again with a current llama.cpp.' : 'Give a file that llama.cpp can load.';
    throw fault('GGUF_NOT_GGUF', { what: `${path} is not a GGUF file (${found})`, evidence: { path, offset: 0 }, fix });
  }
  if (size < FIXED_PART) {
    const what = size === 0 ? 'file is empty (0 bytes)' : `file is too short: ${size} bytes`;
    throw fault('GGUF_TRUNCATED', { what: `${path}: ${what}, a GGUF file has at least ${FIXED_PART}`, evidence: { path, offset: 0 }, fix: 'Download the file again.' });
  }
  const version = new DataView(start.buffer).getUint32(4, true);
  if (version === 2 || version === 3) return version;
  const bigEndian = (version & 0xffff) === 0;
  throw fault('GGUF_VERSION_UNSUPPORTED', {
    what: `${path}: ${bigEndian ? 'big-endian file, only little-endian ones are read' : `version ${version} is not supported (2 and 3 are)`}`,
    evidence: { path, offset: 4 },
    fix: 'Convert the model again with a current llama.cpp.',
  });
}

function checkCount(cursor: HeaderCursor, of: 'tensor' | 'key', count: bigint): number {
  if (count <= BigInt(cursor.size)) return Number(count);
  throw cursor.invalid(`absurd ${of} count ${count}: a file of ${cursor.size} bytes cannot hold so many`, 'Nothing was allocated.');
}

function readArchitecture(path: string, metadata: ReadonlyMap<string, GgufValue>): string {
  const entry = metadata.get('general.architecture');
  if (entry?.type === 'string' && typeof entry.value === 'string') return entry.value;
  throw invalidKey(path, entry === undefined ? 'general.architecture is missing' : `general.architecture must be a string, found ${entry.type}`);
}

function readAlignment(path: string, metadata: ReadonlyMap<string, GgufValue>): number {
  const entry = metadata.get('general.alignment');
  if (entry === undefined) return DEFAULT_ALIGNMENT;
  if (entry.type !== 'u32') throw invalidKey(path, `general.alignment must be a u32, found ${entry.type}`);
  const alignment = Number(entry.value);
  if (alignment > 0 && Number.isInteger(Math.log2(alignment))) return alignment;
  throw invalidKey(path, `general.alignment must be a power of two, found ${alignment}`);
}

function invalidKey(path: string, what: string): Error {
  return fault('GGUF_METADATA_INVALID', { what: `${path}: ${what}`, evidence: { path }, fix: 'Convert the model again with a current llama.cpp.' });
}
