/** Writes small GGUF files, right or wrong on purpose. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tensorTypeOf } from '../src/gguf/index.js';

const VALUE_IDS: Readonly<Record<string, number>> = { u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, u64: 10, i64: 11, f64: 12 };

/** `[key, type, value]`; a list as value is an array of that type. */
export type MetadataEntry = readonly [string, string, unknown];

export interface WrittenTensor {
  readonly name: string;
  /** Row-major, as in safetensors. */
  readonly shape: readonly number[];
  /** Id of the tensor type. */
  readonly type: number;
  readonly bytes: Uint8Array;
}

export function float32Tensor(name: string, shape: readonly number[], values: ArrayLike<number>): WrittenTensor {
  return { name, shape, type: 0, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

/** @returns the path */
export function writeGguf(folder: string, name: string, metadata: readonly MetadataEntry[], tensors: readonly WrittenTensor[]): string {
  const path = join(folder, name);
  const parts: Buffer[] = [Buffer.from('GGUF'), number('u32', 3), number('u64', tensors.length), number('u64', metadata.length)];
  for (const [key, type, value] of metadata) {
    parts.push(text(key));
    if (Array.isArray(value)) parts.push(number('u32', 9), number('u32', VALUE_IDS[type]), number('u64', value.length), ...value.map((item: unknown) => scalar(type, item)));
    else parts.push(number('u32', VALUE_IDS[type]), scalar(type, value));
  }
  let offset = 0;
  for (const tensor of tensors) {
    const known = tensorTypeOf(tensor.type);
    if (known === undefined || 'retired' in known) throw new TypeError(`type ${tensor.type}`);
    const dims = [...tensor.shape].reverse();
    parts.push(text(tensor.name), number('u32', dims.length), ...dims.map((dim) => number('u64', dim)), number('u32', tensor.type), number('u64', offset));
    offset += padded(tensor.bytes.length);
  }
  const header = Buffer.concat(parts);
  const data = tensors.map(({ bytes }) => Buffer.concat([bytes, Buffer.alloc(padded(bytes.length) - bytes.length)]));
  writeFileSync(path, Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length), ...data]));
  return path;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 32) * 32;
}

function text(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([number('u64', bytes.length), bytes]);
}

function scalar(type: string, value: unknown): Buffer {
  if (type === 'string') return text(value as string);
  return number(type, typeof value === 'boolean' ? Number(value) : (value as number));
}

function number(type: string, value: number | undefined): Buffer {
  const view = new DataView(new ArrayBuffer(8));
  const given = value ?? 0;
  switch (type) {
    case 'u8': case 'bool': view.setUint8(0, given); return Buffer.from(view.buffer, 0, 1);
    case 'u16': view.setUint16(0, given, true); return Buffer.from(view.buffer, 0, 2);
    case 'u32': view.setUint32(0, given, true); return Buffer.from(view.buffer, 0, 4);
    case 'i32': view.setInt32(0, given, true); return Buffer.from(view.buffer, 0, 4);
    case 'f32': view.setFloat32(0, given, true); return Buffer.from(view.buffer, 0, 4);
    case 'u64': view.setBigUint64(0, BigInt(given), true); return Buffer.from(view.buffer);
    default: throw new TypeError(`the writer has no ${type}`);
  }
}
