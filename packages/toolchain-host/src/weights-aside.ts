/**
 * Keeps weights out of the compile step: what the operators read as it lies is set aside before ONNX Runtime sees the graph,
 * and named again in the compiled one, as the ranges of the same files that it was before. So compile neither reads nor
 * writes a weight that has not to change.
 *
 * Wire format: GraphProto.input = 11, ValueInfoProto.name = 1, TensorProto.name = 8 (onnx.proto3).
 */
import { DataType, type Node, type Value, decodeModel, encodeModel } from '@tundish/graph';
import { OPERATOR_DOMAIN } from './operator-domain.js';
import { GRAPH_INITIALIZER, MODEL_GRAPH, editMessages, encodeField, fieldsOf, isMessage, join } from './wire.js';

const GRAPH_INPUT = 11;
const VALUE_NAME = 1;
const TENSOR_NAME = 8;

export interface Relieved {
  /** The graph with an input in place of each weight that is set aside. */
  readonly graph: Uint8Array;
  /** Files of these weights, in the order of their names. */
  readonly locations: readonly string[];
  /** The compiled form of `graph` with the weights back. @throws HOST_FILE_DAMAGED */
  restore(compiled: Uint8Array): Uint8Array;
}

/**
 * @param lowered an encoded graph
 * @param leastBytes smaller tensors stay: they become part of the compiled graph
 * @throws HOST_FILE_DAMAGED and the errors of `decodeModel`
 */
export function setWeightsAside(lowered: Uint8Array, leastBytes: number): Relieved {
  const model = decodeModel(lowered);
  const locations = new Set<string>();
  const names = new Set<string>();
  for (const value of model.graph.initializers) {
    const { tensor } = value;
    if (tensor?.kind !== 'external' || tensor.length < leastBytes || !isReadAsItLies(value)) continue;
    names.add(value.name);
    locations.add(tensor.location);
    value.tensor = undefined;
    model.graph.inputs.push(value);
  }
  if (names.size === 0) return { graph: lowered, locations: [], restore: (compiled) => compiled };
  const tensors = tensorsOf(lowered, names);
  return {
    graph: encodeModel(model),
    locations: [...locations].sort(),
    restore: (compiled) => editMessages(compiled, MODEL_GRAPH, (graph) => join([...fieldsOf(graph).filter((field) => !(isMessage(field, GRAPH_INPUT) && names.has(nameOf(field.payload, VALUE_NAME)))).map(({ raw }) => raw), ...tensors])),
  };
}

/** True when every reader takes the bytes at run time: nothing is folded out of them, and nothing packs them. */
function isReadAsItLies(value: Value): boolean {
  return value.uses.every(({ node, index }) => node.domain === OPERATOR_DOMAIN || (isGatheredFrom(node, index) && isCode(value)));
}

function isGatheredFrom(node: Node, index: number): boolean {
  const ids = node.inputs[1];
  return node.opType === 'Gather' && index === 0 && ids !== undefined && ids.tensor === undefined;
}

/** A table of floats is the checkpoint's own: its file holds all the rest of the model too. */
function isCode({ dtype }: Value): boolean {
  return dtype === DataType.UINT8 || dtype === DataType.UINT16;
}

function tensorsOf(model: Uint8Array, names: ReadonlySet<string>): Uint8Array[] {
  const graphs = fieldsOf(model).filter((field) => isMessage(field, MODEL_GRAPH));
  const tensors = graphs.flatMap(({ payload }) => fieldsOf(payload)).filter((field) => isMessage(field, GRAPH_INITIALIZER));
  return tensors.filter(({ payload }) => names.has(nameOf(payload, TENSOR_NAME))).map(({ payload }) => encodeField(GRAPH_INITIALIZER, payload));
}

function nameOf(message: Uint8Array, number: number): string {
  return new TextDecoder().decode(fieldsOf(message).find((field) => isMessage(field, number))?.payload);
}
