/**
 * Rewrites where the external tensors of an encoded ONNX model lie, and leaves every other byte as it is: compiled graphs
 * carry entries of ONNX Runtime (`prepacked_0`, …) beside location, offset and length, and those must survive.
 *
 * Wire format: ModelProto.graph = 7, GraphProto.initializer = 5, TensorProto.external_data = 13, StringStringEntryProto
 * key = 1, value = 2 (onnx.proto3).
 */
import { GRAPH_INITIALIZER, MODEL_GRAPH, editMessages, encodeField, fieldsOf, isMessage, join } from './wire.js';

/** External data of one tensor, in file order. */
export type ExternalEntries = ReadonlyMap<string, string>;

const TENSOR_EXTERNAL_DATA = 13;

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

function editTensor(tensor: Uint8Array, edit: (entries: ExternalEntries) => ExternalEntries): Uint8Array {
  const fields = fieldsOf(tensor);
  const entries = fields.filter((field) => isMessage(field, TENSOR_EXTERNAL_DATA)).map((field) => decodeEntry(field.payload));
  if (entries.length === 0) return tensor;
  const written = [...edit(new Map(entries))].map(([key, value]) => encodeField(TENSOR_EXTERNAL_DATA, encodeEntry(key, value)));
  const first = fields.findIndex((field) => isMessage(field, TENSOR_EXTERNAL_DATA));
  return join(fields.flatMap((field, i) => (i === first ? written : isMessage(field, TENSOR_EXTERNAL_DATA) ? [] : [field.raw])));
}

function decodeEntry(entry: Uint8Array): [string, string] {
  const text = (number: number): string => new TextDecoder().decode(fieldsOf(entry).find((field) => isMessage(field, number))?.payload);
  return [text(1), text(2)];
}

function encodeEntry(key: string, value: string): Uint8Array {
  const encoder = new TextEncoder();
  return join([encodeField(1, encoder.encode(key)), encodeField(2, encoder.encode(value))]);
}
