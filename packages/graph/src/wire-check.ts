/**
 * Checks the protobuf wire form of an ONNX file before it is decoded: the decoder itself takes truncated and overlong
 * input for other, valid messages. Wire format: protobuf.dev/programming-guides/encoding.
 */
import { isUtf8 } from 'node:buffer';
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { graphError, malformed } from './errors.js';
import { ModelProtoSchema } from './onnx_pb.js';

const enum Wire {
  Varint = 0,
  Fixed64 = 1,
  Bytes = 2,
  Fixed32 = 5,
}

/** Subgraphs nest types inside graphs inside attributes; real models stay far below. */
const MAX_DEPTH = 64;
const MAX_VARINT_BYTES = 10;

/**
 * Walks all fields of a serialized ModelProto.
 *
 * @throws ONNX_MALFORMED with the byte offset of the first fault
 */
export function checkWire(bytes: Uint8Array): void {
  if (bytes.byteLength === 0) throw graphError('ONNX_MALFORMED', {
      what: 'file is empty',
      why: 'no bytes are a valid protobuf message, but not a model',
      evidence: { offset: 0 },
      fix: 'write or download the model again',
    });
  checkMessage({ bytes, at: 0 }, bytes.byteLength, ModelProtoSchema, '', 0);
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

function checkMessage(cursor: Cursor, end: number, schema: DescMessage, path: string, depth: number): void {
  if (depth > MAX_DEPTH) throw malformed(`messages nest deeper than ${MAX_DEPTH} in ${path}`, cursor.at);
  const fields = fieldsOf(schema);
  const seen = new Map<number, number>();
  while (cursor.at < end) {
    const start = cursor.at;
    const tag = readVarint(cursor, end, path || 'the model');
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    const field = fields.get(number);
    const index = seen.get(number) ?? 0;
    seen.set(number, index + 1);
    const name = fieldPath(path, field, number, index);
    if (number === 0 || tag > 0xffffffff) throw malformed(`impossible field number ${number} in ${path || 'the model'}`, start);
    if (field !== undefined && !wireFits(field, wire)) throw malformed(`field ${name} has wire type ${wire}`, start);
    checkField(cursor, end, wire, field, name, depth);
  }
}

function checkField(cursor: Cursor, end: number, wire: number, field: DescField | undefined, name: string, depth: number): void {
  if (wire === Wire.Varint) {
    readVarint(cursor, end, name);
  } else if (wire === Wire.Fixed32 || wire === Wire.Fixed64) {
    skip(cursor, end, wire === Wire.Fixed32 ? 4 : 8, name);
  } else if (wire === Wire.Bytes) {
    const length = readVarint(cursor, end, name);
    const from = cursor.at;
    if (length > end - from) throw malformed(`ends inside field ${name}: field ${name} claims ${length} bytes, ${end - from} are left`, from);
    checkContent(cursor, from + length, field, name, depth);
    cursor.at = from + length;
  } else {
    throw malformed(`field ${name} has wire type ${wire}, which ONNX does not use`, cursor.at);
  }
}

function checkContent(cursor: Cursor, end: number, field: DescField | undefined, name: string, depth: number): void {
  if (field?.message !== undefined) {
    checkMessage(cursor, end, field.message, name, depth + 1);
  } else if (field?.scalar === ScalarType.STRING) {
    if (!isUtf8(cursor.bytes.subarray(cursor.at, end))) throw malformed(`field ${name} is not valid UTF-8`, cursor.at);
  } else if (field?.fieldKind === 'list' && field.scalar !== ScalarType.BYTES) {
    const unit = wireOfScalar(field);
    if (unit === Wire.Varint) while (cursor.at < end) readVarint(cursor, end, name);
    else while (cursor.at < end) skip(cursor, end, unit === Wire.Fixed32 ? 4 : 8, name);
  }
}

function skip(cursor: Cursor, end: number, count: number, name: string): void {
  if (count > end - cursor.at) throw malformed(`ends inside field ${name}`, cursor.at);
  cursor.at += count;
}

/** Value of a varint as a double: exact below 2^53, which is all that lengths and tags need. */
function readVarint(cursor: Cursor, end: number, name: string): number {
  const start = cursor.at;
  let value = 0;
  for (let i = 0; i < MAX_VARINT_BYTES; i++) {
    if (cursor.at >= end) throw malformed(`ends inside field ${name}`, cursor.at);
    const byte = cursor.bytes[cursor.at++] as number;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return value;
  }
  throw malformed(`malformed varint at byte ${start}: more than ${MAX_VARINT_BYTES} bytes in ${name}`, start);
}

function wireFits(field: DescField, wire: number): boolean {
  if (field.message !== undefined) return wire === Wire.Bytes;
  const own = wireOfScalar(field);
  return wire === own || (field.fieldKind === 'list' && wire === Wire.Bytes);
}

function wireOfScalar(field: DescField): number {
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return Wire.Bytes;
    case ScalarType.FLOAT:
      return Wire.Fixed32;
    case ScalarType.DOUBLE:
      return Wire.Fixed64;
    default:
      return Wire.Varint;
  }
}

function fieldPath(path: string, field: DescField | undefined, number: number, index: number): string {
  const name = field?.name ?? `#${number}`;
  const step = field?.fieldKind === 'list' ? `${name}[${index}]` : name;
  return path === '' ? step : `${path}.${step}`;
}

const known = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(schema: DescMessage): ReadonlyMap<number, DescField> {
  const found = known.get(schema) ?? new Map(schema.fields.map((field) => [field.number, field]));
  known.set(schema, found);
  return found;
}
