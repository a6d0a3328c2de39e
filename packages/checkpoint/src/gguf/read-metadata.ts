/** Reads the key-value part of a GGUF header. */
import { printable } from '@tundish/diagnostics';
import type { HeaderCursor } from './header-cursor.js';
import { VALUE_BYTES, VALUE_TYPES } from './metadata-values.js';
import type { GgufScalar, GgufScalarType, GgufValue, GgufValueType } from './metadata-values.js';

/** Arrays hold one element a token or merge; a longer one would fill the memory. */
const ARRAY_LIMIT = 2 ** 24;

type ReadNumber = (view: DataView, at: number) => GgufScalar;

const READERS: Readonly<Record<Exclude<GgufScalarType, 'string' | 'bool'>, ReadNumber>> = {
  u8: (view, at) => view.getUint8(at),
  i8: (view, at) => view.getInt8(at),
  u16: (view, at) => view.getUint16(at, true),
  i16: (view, at) => view.getInt16(at, true),
  u32: (view, at) => view.getUint32(at, true),
  i32: (view, at) => view.getInt32(at, true),
  f32: (view, at) => view.getFloat32(at, true),
  u64: (view, at) => narrowed(view.getBigUint64(at, true)),
  i64: (view, at) => narrowed(view.getBigInt64(at, true)),
  f64: (view, at) => view.getFloat64(at, true),
};

/** @throws TundishError GGUF_HEADER_INVALID, GGUF_TRUNCATED */
export async function readMetadata(cursor: HeaderCursor, count: number): Promise<Map<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>();
  for (let index = 0; index < count; index++) {
    cursor.place = `the name of key ${index + 1} of ${count}`;
    const key = await cursor.text();
    if (key === '') throw cursor.invalid(`key ${index + 1} of ${count} has no name`);
    if (metadata.has(key)) throw cursor.invalid(`duplicate key ${printable(key)}`, 'Readers disagree about which of the two counts.');
    cursor.place = `key ${printable(key, 80)}`;
    metadata.set(key, await readValue(cursor));
  }
  return metadata;
}

async function readValue(cursor: HeaderCursor): Promise<GgufValue> {
  const type = await readType(cursor);
  if (type !== 'array') return { type, value: (await readScalars(cursor, type, 1))[0] ?? 0 };
  const elementType = await readType(cursor);
  if (elementType === 'array') throw cursor.invalid(`nested arrays are not supported: ${cursor.place}`);
  const count = await cursor.u64();
  if (count * BigInt(VALUE_BYTES[elementType]) > BigInt(cursor.remaining)) {
    throw cursor.invalid(`array count ${count} of ${cursor.place} exceeds the file, which has ${cursor.size} bytes`, 'Nothing was allocated.');
  }
  if (count > BigInt(ARRAY_LIMIT)) throw cursor.invalid(`array count ${count} of ${cursor.place} is too large`, `At most ${ARRAY_LIMIT} elements are read.`);
  return { type, elementType, value: await readScalars(cursor, elementType, Number(count)) };
}

async function readType(cursor: HeaderCursor): Promise<GgufValueType> {
  const id = await cursor.u32();
  const type = VALUE_TYPES[id];
  if (type === undefined) throw cursor.invalid(`unknown value type ${id} of ${cursor.place}`);
  return type;
}

async function readScalars(cursor: HeaderCursor, type: GgufScalarType, count: number): Promise<GgufScalar[]> {
  if (type === 'string') {
    const texts: string[] = [];
    while (texts.length < count) texts.push(await cursor.text());
    return texts;
  }
  if (type !== 'bool') return cursor.values(count, VALUE_BYTES[type], READERS[type]);
  const flags = await cursor.values(count, 1, (view, at) => view.getUint8(at));
  const wrong = flags.find((flag) => flag > 1);
  if (wrong !== undefined) throw cursor.invalid(`a bool of ${cursor.place} is ${wrong}, neither 0 nor 1`);
  return flags.map((flag) => flag === 1);
}

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
