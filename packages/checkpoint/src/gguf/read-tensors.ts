/** Reads the tensor table of a GGUF header and holds every byte range against the rules of the format. */
import { printable } from '@tundish/diagnostics';
import { fault } from '../errors.js';
import type { HeaderCursor } from './header-cursor.js';
import { tensorTypeOf } from './tensor-types.js';
import type { GgufTensorType } from './tensor-types.js';

const DIMS_LIMIT = 4;
const NAME_LIMIT = 63;

/** A tensor as the table describes it. */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgufTensorType;
  /** Row-major, as in safetensors: the reverse of the order in the file, so the last axis is the row. */
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly length: number;
}

/** An entry of the table before the start of the data is known. */
interface TableEntry extends GgufTensor {
  /** The `offset` field: from the start of the data. */
  readonly relative: bigint;
}

/**
 * @returns the tensors in the order of the file
 * @throws TundishError GGUF_TENSOR_INVALID, GGUF_LAYOUT_INVALID, GGUF_TRUNCATED
 */
export async function readTensors(cursor: HeaderCursor, count: number, alignment: number): Promise<Map<string, GgufTensor>> {
  const entries: TableEntry[] = [];
  for (let index = 0; index < count; index++) {
    cursor.place = `tensor info ${index + 1} of ${count}`;
    entries.push(await readEntry(cursor));
  }
  return placeTensors(entries, cursor, alignment);
}

async function readEntry(cursor: HeaderCursor): Promise<TableEntry> {
  const start = cursor.offset;
  const name = await cursor.text();
  const complain = (what: string): Error => invalid('GGUF_TENSOR_INVALID', cursor.path, start, `tensor ${printable(name, 80)}: ${what}`);
  if (Buffer.byteLength(name) > NAME_LIMIT) throw complain(`the name is longer than ${NAME_LIMIT} bytes`);
  const dimCount = await cursor.u32();
  if (dimCount < 1 || dimCount > DIMS_LIMIT) throw complain(`has ${dimCount} dimensions, at least 1 and at most ${DIMS_LIMIT} are possible`);
  const dims: bigint[] = [];
  while (dims.length < dimCount) dims.push(BigInt.asIntN(64, await cursor.u64()));
  const id = await cursor.u32();
  const relative = await cursor.u64();
  if (dims.some((dim) => dim < 1n)) throw complain(`dims must be positive, found [${dims.join(',')}]`);
  const type = tensorTypeOf(id);
  if (type === undefined) throw complain(`unknown tensor type ${id}`);
  if ('retired' in type) throw complain(`retired tensor type ${id} (${type.retired})`);
  const elements = dims.reduce((product, dim) => product * dim, 1n);
  if (elements > BigInt(Number.MAX_SAFE_INTEGER) / 8n) throw complain(`the element count of [${dims.join(',')}] overflows`);
  const shape = dims.map(Number).reverse();
  const row = shape.at(-1) ?? 0;
  if (row % type.blockSize !== 0) throw complain(`the row length ${row} is not a multiple of ${type.blockSize}, the block of ${type.name}`);
  return { name, type, shape, offset: start, length: (Number(elements) / type.blockSize) * type.blockBytes, relative };
}

/** llama.cpp's rule: every tensor begins at the sum of the padded sizes before it, so nothing overlaps and nothing is skipped. */
function placeTensors(entries: readonly TableEntry[], { path, size, offset: headerEnd }: HeaderCursor, alignment: number): Map<string, GgufTensor> {
  const padded = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
  const dataStart = padded(headerEnd);
  const tensors = new Map<string, GgufTensor>();
  let expected = 0;
  for (const { relative, offset: entryOffset, ...entry } of entries) {
    const name = printable(entry.name);
    if (tensors.has(entry.name)) throw invalid('GGUF_TENSOR_INVALID', path, entryOffset, `duplicate tensor ${name}`);
    const layout = (what: string): Error => invalid('GGUF_LAYOUT_INVALID', path, entryOffset, `tensor ${name}: ${what}`);
    if (relative % BigInt(alignment) !== 0n) throw layout(`offset ${relative} is not aligned to ${alignment}`);
    if (relative > BigInt(size)) throw layout(`offset ${relative} lies beyond the file, which has ${size} bytes`);
    if (relative !== BigInt(expected)) throw layout(`the offset of ${name} must be ${expected}, found ${relative}`);
    tensors.set(entry.name, { ...entry, offset: dataStart + expected });
    expected += padded(entry.length);
  }
  const last = [...tensors.values()].at(-1);
  if (last === undefined || last.offset + last.length <= size) return tensors;
  const { name, offset, length } = last;
  throw invalid('GGUF_TRUNCATED', path, offset, `tensor ${printable(name)}: needs bytes ${offset}..${offset + length}, the file has ${size}`);
}

function invalid(code: 'GGUF_TENSOR_INVALID' | 'GGUF_LAYOUT_INVALID' | 'GGUF_TRUNCATED', path: string, offset: number, what: string): Error {
  const fix = code === 'GGUF_TRUNCATED' ? 'The file is cut short: download it again.' : 'The file is damaged: download it again, or convert the model again.';
  return fault(code, { what: `${path}: ${what}`, evidence: { path, offset }, fix });
}
