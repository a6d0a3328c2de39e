/** Writes a model as ONNX bytes: equal models give equal bytes. */
import { create, toBinary } from '@bufbuild/protobuf';
import { encodeAttribute } from './attribute-proto.js';
import type { Graph, Model } from './graph.js';
import type { Dim, Node, Value } from './node.js';
import {
  type GraphProto, GraphProtoSchema, ModelProtoSchema, type NodeProto, NodeProtoSchema, OperatorSetIdProtoSchema, StringStringEntryProtoSchema,
  TensorShapeProto_DimensionSchema, TensorShapeProtoSchema, TypeProto_TensorSchema, TypeProtoSchema, type ValueInfoProto, ValueInfoProtoSchema,
} from './onnx_pb.js';
import { encodeTensor } from './tensor-proto.js';

/**
 * The bytes of a ModelProto. Nodes are in `sortedNodes` order, maps are sorted by key, every value of known type has a
 * value_info, and external tensors keep their logical location.
 *
 * @throws GRAPH_CYCLE
 */
export function encodeModel(model: Model): Uint8Array {
  const opsetImport = sortedEntries(model.opsetImports).map(([domain, version]) => create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }));
  const metadataProps = sortedEntries(model.metadata).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
  const proto = create(ModelProtoSchema, {
    irVersion: BigInt(model.irVersion),
    producerName: model.producerName,
    opsetImport,
    metadataProps,
    graph: encodeGraph(model.graph),
  });
  return toBinary(ModelProtoSchema, proto);
}

function encodeGraph(graph: Graph): GraphProto {
  const nodes = graph.sortedNodes();
  const outputs = new Set(graph.outputs);
  const between = nodes.flatMap((node) => node.outputs).filter((value) => value.dtype !== undefined && !outputs.has(value));
  return create(GraphProtoSchema, {
    name: graph.name,
    node: nodes.map(encodeNode),
    initializer: graph.initializers.map((value) => encodeTensor(value.name, value.tensor as NonNullable<Value['tensor']>)),
    input: graph.inputs.map(encodeValueInfo),
    output: graph.outputs.map(encodeValueInfo),
    valueInfo: between.map(encodeValueInfo),
  });
}

function encodeNode(node: Node): NodeProto {
  return create(NodeProtoSchema, {
    name: node.name,
    opType: node.opType,
    ...(node.domain === '' ? {} : { domain: node.domain }),
    input: inputNames(node),
    output: node.outputs.map((output) => output.name),
    attribute: sortedEntries(node.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
  });
}

/** Absent optional inputs are empty names, except at the end, where ONNX leaves them out. */
function inputNames(node: Node): string[] {
  const names = node.inputs.map((input) => input?.name ?? '');
  return names.slice(0, names.findLastIndex((name) => name !== '') + 1);
}

function encodeValueInfo(value: Value): ValueInfoProto {
  if (value.dtype === undefined) return create(ValueInfoProtoSchema, { name: value.name });
  const shape = value.shape === undefined ? {} : { shape: create(TensorShapeProtoSchema, { dim: value.shape.map(encodeDim) }) };
  const tensor = create(TypeProto_TensorSchema, { elemType: value.dtype, ...shape });
  return create(ValueInfoProtoSchema, { name: value.name, type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }) });
}

function encodeDim(dim: Dim) {
  const value = typeof dim === 'number' ? { case: 'dimValue' as const, value: BigInt(dim) } : { case: 'dimParam' as const, value: dim };
  return create(TensorShapeProto_DimensionSchema, { value });
}

function sortedEntries<V>(map: ReadonlyMap<string, V>): [string, V][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
