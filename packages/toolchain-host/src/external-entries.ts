/**
 * Rewrites where the external tensors of an encoded ONNX model lie, and leaves every other byte as it is: compiled graphs
 * carry entries of ONNX Runtime (`prepacked_0`, …) beside location, offset and length, and those must survive.
 *
 * Wire format: ModelProto.graph = 7, GraphProto.initializer = 5, TensorProto.external_data = 13, StringStringEntryProto
 * key = 1, value = 2 (onnx.proto3).
 */
import { hostError } from './errors.js';

/** External data of one tensor, in file order. */
export type ExternalEntries = ReadonlyMap<string, string>;

const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_EXTERNAL_DATA = 13;
const LENGTH_DELIMITED = 2;

interface Field {
  readonly number: number;
  readonly wire: number;
  /** Whole field with its tag. */
  readonly raw: Uint8Array;
  /** Content of a length-delimited field. */
  readonly payload: Uint8Array;
}

/** The model with `edit` applied to the entries of every external initializer. @throws HOST_FILE_DAMAGED */
export function editExternalEntries(model: Uint8Array, edit: (entries: ExternalEntries) => ExternalEntries): Uint8Array {
  return editMessages(model, MODEL_GRAPH, (graph) => editMessages(graph, GRAPH_INITIALIZER, (tensor) => editTensor(tensor, edit)));
}

/** Entries of every external initializer, in file order. @throws HOST_FILE_DAMAGED */
export function readExternalEntries(model: Uint8Array): ExternalEntries[] {
  const found: ExternalEntries[] = [];
  editExternalEntries(model, (entries) => {
    found.push(entries);
    return entries;
  });
  return found;
}

function editMessages(message: Uint8Array, number: number, edit: (payload: Uint8Array) => Uint8Array): Uint8Array {
  return join(fieldsOf(message).map((field) => (isMessage(field, number) ? encodeField(number, edit(field.payload)) : field.raw)));
}

function editTensor(tensor: Uint8Array, edit: (entries: ExternalEntries) => ExternalEntries): Uint8Array {
  const fields = fieldsOf(tensor);
  const entries = fields.filter((field) => isMessage(field, TENSOR_EXTERNAL_DATA)).map((field) => decodeEntry(field.payload));
  if (entries.length === 0) return tensor;
  const written = [...edit(new Map(entries))].map(([key, value]) => encodeField(TENSOR_EXTERNAL_DATA, encodeEntry(key, value)));
  const first = fields.findIndex((field) => isMessage(field, TENSOR_EXTERNAL_DATA));
  return join(fields.flatMap((field, i) => (i === first ? written : isMessage(field, TENSOR_EXTERNAL_DATA) ? [] : [field.raw])));
}

function isMessage(field: Field, number: number): boolean {
  return field.number === number && field.wire === LENGTH_DELIMITED;
}

function decodeEntry(entry: Uint8Array): [string, string] {
  const text = (number: number): string => new TextDecoder().decode(fieldsOf(entry).find((field) => isMessage(field, number))?.payload);
  return [text(1), text(2)];
}

function encodeEntry(key: string, value: string): Uint8Array {
  const encoder = new TextEncoder();
  return join([encodeField(1, encoder.encode(key)), encodeField(2, encoder.encode(value))]);
}

function encodeField(number: number, payload: Uint8Array): Uint8Array {
  return join([Uint8Array.from([...varint((number << 3) | LENGTH_DELIMITED), ...varint(payload.byteLength)]), payload]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

function fieldsOf(message: Uint8Array): Field[] {
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

function join(parts: readonly Uint8Array[]): Uint8Array {
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
