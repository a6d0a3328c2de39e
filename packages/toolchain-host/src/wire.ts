/** Protobuf messages field by field: what is not touched keeps its bytes, known to anybody here or not. */
import { hostError } from './errors.js';

/** ModelProto.graph and GraphProto.initializer (onnx.proto3). */
export const MODEL_GRAPH = 7;
export const GRAPH_INITIALIZER = 5;
const LENGTH_DELIMITED = 2;

export interface Field {
  readonly number: number;
  readonly wire: number;
  /** Whole field with its tag. */
  readonly raw: Uint8Array;
  /** Content of a length-delimited field. */
  readonly payload: Uint8Array;
}

/** The message with `edit` applied to each message in field `number`. @throws HOST_FILE_DAMAGED */
export function editMessages(message: Uint8Array, number: number, edit: (payload: Uint8Array) => Uint8Array): Uint8Array {
  return join(fieldsOf(message).map((field) => (isMessage(field, number) ? encodeField(number, edit(field.payload)) : field.raw)));
}

export function isMessage(field: Field, number: number): boolean {
  return field.number === number && field.wire === LENGTH_DELIMITED;
}

export function encodeField(number: number, payload: Uint8Array): Uint8Array {
  return join([Uint8Array.from([...varint((number << 3) | LENGTH_DELIMITED), ...varint(payload.byteLength)]), payload]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

/** @throws HOST_FILE_DAMAGED */
export function fieldsOf(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined || factor > 2 ** 63) throw cut();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < message.byteLength) {
    const start = at;
    const tag = next();
    const wire = tag & 7;
    let size = 0;
    if (wire === 0) next();
    else if (wire === LENGTH_DELIMITED) size = next();
    else if (wire === 1 || wire === 5) size = wire === 1 ? 8 : 4;
    else throw cut();
    const content = at;
    at += size;
    if (at > message.byteLength) throw cut();
    fields.push({ number: Math.floor(tag / 8), wire, raw: message.subarray(start, at), payload: message.subarray(content, at) });
  }
  return fields;
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.byteLength;
  }
  return joined;
}

function cut(): Error {
  return hostError('HOST_FILE_DAMAGED', { what: 'the graph is not a whole ONNX model', why: 'a field of its protobuf ends behind the file', fix: 'build the stage again; the store has a damaged file' });
}
