/** What an ONNX file holds, from its structure alone: weights are jumped over, so a file of gigabytes answers at once. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { dataTypeName, isDataType } from '../data-type.js';
import { graphError } from '../errors.js';
import { located } from '../located.js';
import { type EpContextInfo, readEpContext } from './ep-context.js';
import { WireCursor } from './wire-cursor.js';

export type { EpContextInfo } from './ep-context.js';

/** An input or output; a symbolic dim is its name, an unknown one `?`. */
export interface OnnxTensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string)[];
}

/** The byte ranges of one external data file that the graph refers to. */
export interface OnnxExternalFile {
  readonly location: string;
  readonly tensors: number;
  /** First byte that is referred to, and the byte after the last one. */
  readonly from: number;
  readonly to: number;
  /** Sum of the lengths; ranges that overlap count twice. */
  readonly bytes: number;
}

export interface OnnxSummary {
  readonly irVersion: number;
  /** Version by domain; the domain of ONNX itself is `ai.onnx`. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: string;
  readonly graph: string;
  readonly nodes: number;
  /** Number of nodes by operation, most frequent first; operations of other domains as `domain.Operation`. */
  readonly operations: Readonly<Record<string, number>>;
  readonly inputs: readonly OnnxTensorInfo[];
  readonly outputs: readonly OnnxTensorInfo[];
  readonly initializers: number;
  /** Bytes of weights in the file itself. */
  readonly inlineBytes: number;
  /** Sorted by location. */
  readonly external: readonly OnnxExternalFile[];
  /** Nodes that stand for compiled graphs, in the order of the file. */
  readonly epContexts: readonly EpContextInfo[];
}

interface Collected {
  irVersion: number;
  producer: string;
  graph: string | undefined;
  nodes: number;
  initializers: number;
  inlineBytes: number;
  readonly opsets: Map<string, number>;
  readonly operations: Map<string, number>;
  readonly inputs: OnnxTensorInfo[];
  readonly outputs: OnnxTensorInfo[];
  readonly initializerNames: Set<string>;
  readonly epContexts: EpContextInfo[];
  readonly external: Map<string, { tensors: number; from: number; to: number; bytes: number }>;
}

/**
 * Reads the structure of an ONNX file. Field numbers: onnx/onnx.proto of ONNX 1.19.
 *
 * @throws ONNX_MALFORMED when the bytes are no protobuf message, ONNX_INVALID when it has no graph
 */
export function summarizeOnnx(path: string): OnnxSummary {
  const descriptor = openSync(path, 'r');
  try {
    return located(path, () => {
      const cursor = new WireCursor(descriptor, fstatSync(descriptor).size);
      const into: Collected = { irVersion: 0, producer: '', graph: undefined, nodes: 0, initializers: 0, inlineBytes: 0, opsets: new Map(), operations: new Map(), inputs: [], outputs: [], initializerNames: new Set(), epContexts: [], external: new Map() };
      readModel(cursor, into);
      if (into.graph === undefined) throw graphError('ONNX_INVALID', { what: 'no graph in the model', why: 'the file is empty, holds a model header only, or is something else', fix: 'export the model again' });
      return summaryOf(into, into.graph);
    });
  } finally {
    closeSync(descriptor);
  }
}

function readModel(cursor: WireCursor, into: Collected): void {
  cursor.fields(cursor.size, (field, value, end) => {
    if (end === undefined) {
      if (field === 1) into.irVersion = value;
    } else if (field === 2) into.producer = cursor.text(end);
    else if (field === 7) readGraph(cursor, end, into);
    else if (field === 8) readOpset(cursor, end, into);
  });
}

function readOpset(cursor: WireCursor, last: number, into: Collected): void {
  let [domain, version] = ['', 0];
  cursor.fields(last, (field, value, end) => {
    if (field === 1 && end !== undefined) domain = cursor.text(end);
    if (field === 2 && end === undefined) version = value;
  });
  into.opsets.set(domain || 'ai.onnx', version);
}

function readGraph(cursor: WireCursor, last: number, into: Collected): void {
  into.graph ??= '';
  cursor.fields(last, (field, _, end) => {
    if (end === undefined) return;
    if (field === 1) readNode(cursor, end, into);
    else if (field === 2) into.graph = cursor.text(end);
    else if (field === 5) readInitializer(cursor, end, into);
    else if (field === 11) into.inputs.push(readValue(cursor, end));
    else if (field === 12) into.outputs.push(readValue(cursor, end));
  });
}

function readNode(cursor: WireCursor, last: number, into: Collected): void {
  const start = cursor.at;
  let [operation, domain] = ['', ''];
  cursor.fields(last, (field, _, end) => {
    if (field === 4 && end !== undefined) operation = cursor.text(end);
    if (field === 7 && end !== undefined) domain = cursor.text(end);
  });
  const name = domain === '' || domain === 'ai.onnx' ? operation : `${domain}.${operation}`;
  into.nodes += 1;
  into.operations.set(name, (into.operations.get(name) ?? 0) + 1);
  if (name !== 'com.microsoft.EPContext') return;
  cursor.at = start;
  into.epContexts.push(readEpContext(cursor, last));
}

function readInitializer(cursor: WireCursor, last: number, into: Collected): void {
  const entries = new Map<string, string>();
  cursor.fields(last, (field, value, end) => {
    if (end === undefined) return;
    if (field === 8) into.initializerNames.add(cursor.text(end));
    else if (field === 13) readEntry(cursor, end, entries);
    // float_data, int32_data, string_data, int64_data, raw_data, double_data, uint64_data
    else if ([4, 5, 6, 7, 9, 10, 11].includes(field)) into.inlineBytes += value;
  });
  into.initializers += 1;
  const location = entries.get('location');
  if (location === undefined) return;
  const from = Number(entries.get('offset') ?? 0);
  const length = Number(entries.get('length') ?? 0);
  const file = into.external.get(location) ?? { tensors: 0, from: Infinity, to: 0, bytes: 0 };
  into.external.set(location, { tensors: file.tensors + 1, from: Math.min(file.from, from), to: Math.max(file.to, from + length), bytes: file.bytes + length });
}

function readEntry(cursor: WireCursor, last: number, into: Map<string, string>): void {
  let [key, text] = ['', ''];
  cursor.fields(last, (field, _, end) => {
    if (field === 1 && end !== undefined) key = cursor.text(end);
    if (field === 2 && end !== undefined) text = cursor.text(end);
  });
  into.set(key, text);
}

function readValue(cursor: WireCursor, last: number): OnnxTensorInfo {
  let name = '';
  let dtype = 'not a tensor';
  const shape: (number | string)[] = [];
  cursor.fields(last, (field, _, end) => {
    if (end === undefined) return;
    if (field === 1) name = cursor.text(end);
    if (field !== 2) return;
    // TypeProto.tensor_type: elem_type, shape
    inside(cursor, end, 1, (tensorEnd) => cursor.fields(tensorEnd, (inner, value, shapeEnd) => {
      if (inner === 1 && shapeEnd === undefined) dtype = isDataType(value) ? dataTypeName(value) : `type ${value}`;
      if (inner === 2 && shapeEnd !== undefined) inside(cursor, shapeEnd, 1, (dimEnd) => shape.push(readDim(cursor, dimEnd)));
    }));
  });
  return { name, dtype, shape };
}

function readDim(cursor: WireCursor, last: number): number | string {
  let dim: number | string = '?';
  cursor.fields(last, (field, value, end) => {
    // A negative size is damage, which the reader of graphs reports with its place.
    if (field === 1 && end === undefined) dim = value <= Number.MAX_SAFE_INTEGER ? value : 'negative';
    if (field === 2 && end !== undefined) dim = cursor.text(end) || '?';
  });
  return dim;
}

/** Visits the messages with one field number. */
function inside(cursor: WireCursor, last: number, wanted: number, visit: (end: number) => void): void {
  cursor.fields(last, (field, _, end) => {
    if (field === wanted && end !== undefined) visit(end);
  });
}

function summaryOf(into: Collected, graph: string): OnnxSummary {
  const { irVersion, producer, nodes, initializers, inlineBytes, initializerNames } = into;
  return {
    irVersion, producer, graph, nodes, initializers, inlineBytes,
    opsets: Object.fromEntries(into.opsets),
    operations: Object.fromEntries([...into.operations].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))),
    // An initializer that is an input too is a constant, as IR 3 files mean it.
    inputs: into.inputs.filter(({ name }) => !initializerNames.has(name)),
    outputs: into.outputs,
    epContexts: into.epContexts,
    external: [...into.external].sort(([a], [b]) => (a < b ? -1 : 1)).map(([location, file]) => ({ location, ...file })),
  };
}
