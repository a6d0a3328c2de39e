/** Builds the IR from a GraphProto: names become values, and everything that is not single assignment is refused. */
import { type Reporter, printable } from '@tundish/diagnostics';
import { decodeAttribute } from './attribute-proto.js';
import { type DataType, isDataType } from './data-type.js';
import { graphError } from './errors.js';
import { Graph } from './graph.js';
import type { Dim, Value } from './node.js';
import type { GraphProto, NodeProto, ValueInfoProto } from './onnx_pb.js';
import { decodeTensor } from './tensor-proto.js';

/**
 * @throws ONNX_INVALID for names that are defined twice or never
 * @throws GRAPH_CYCLE
 */
export function decodeGraph(proto: GraphProto, reporter: Reporter): Graph {
  if (proto.sparseInitializer.length > 0) throw graphError('ONNX_UNSUPPORTED', { what: 'the graph has sparse initializers', why: 'weights are dense byte ranges', evidence: { detail: `${proto.sparseInitializer.length} sparse initializers` }, fix: 'store them dense' });
  const graph = new Graph(proto.name);
  addConstants(graph, proto);
  addInputs(graph, proto);
  declareOutputs(graph, proto);
  for (const info of proto.valueInfo) describe(graph.find(info.name), info);
  addNodes(graph, proto, reporter);
  for (const info of proto.output) addOutput(graph, info);
  noteUnsorted(graph, reporter);
  return graph;
}

function addConstants(graph: Graph, proto: GraphProto): void {
  for (const tensor of proto.initializer) {
    const name = printable(tensor.name);
    if (tensor.name === '') throw invalid('an initializer has no name', 'initializer');
    if (graph.find(tensor.name) !== undefined) throw invalid(`duplicate initializer ${name}`, `initializer ${name}`);
    graph.addInitializer(tensor.name, decodeTensor(tensor));
  }
}

/** An input that is an initializer too has a default value: it is taken for the constant, as IR 3 files mean it. */
function addInputs(graph: Graph, proto: GraphProto): void {
  for (const info of proto.input) {
    const name = printable(info.name);
    const known = graph.find(info.name);
    if (known?.tensor !== undefined) continue;
    if (info.name === '' || known !== undefined) throw invalid(`input ${name || '(empty name)'} is declared twice or has no name`, `input ${name}`);
    graph.inputs.push(describe(graph.addValue(info.name), info) as Value);
  }
}

/** Outputs of all nodes come first, so that nodes may be read in any order. */
function declareOutputs(graph: Graph, proto: GraphProto): void {
  const producers = new Map<string, string>();
  for (const node of proto.node) {
    const by = printable(node.name || node.opType);
    for (const output of node.output.filter((name) => name !== '')) {
      const other = producers.get(output) ?? (graph.find(output) === undefined ? undefined : 'the graph itself (input or initializer)');
      if (other !== undefined) throw invalid(`${printable(output)} is produced by ${other} and ${by}`, `value ${printable(output)}`, 'a graph is in single assignment form');
      producers.set(output, by);
      graph.addValue(output);
    }
  }
}

function addNodes(graph: Graph, proto: GraphProto, reporter: Reporter): void {
  const taken = new Set<string>();
  const given = new Set(proto.node.map((node) => node.name));
  for (const node of proto.node) {
    const name = uniqueNodeName(node, taken, given);
    if (name !== node.name && node.name !== '') reporter.warn(`two nodes are named ${printable(node.name)}: one is now ${printable(name)}`);
    taken.add(name);
    const place = printable(name);
    graph.addNode({
      opType: node.opType,
      domain: node.domain === 'ai.onnx' ? '' : node.domain,
      name,
      inputs: node.input.map((input) => (input === '' ? undefined : defined(graph, input, place))),
      outputs: node.output.map((output, i) => (output === '' ? graph.uniqueName(`${name}_unused_${i}`) : output)),
      attributes: attributesOf(node, place),
    });
  }
}

/** Own entries only: an attribute may be called `__proto__`. */
function attributesOf(node: NodeProto, place: string) {
  return Object.fromEntries(node.attribute.map((attribute) => [attribute.name, decodeAttribute(attribute, place)]));
}

function uniqueNodeName(node: NodeProto, taken: ReadonlySet<string>, given: ReadonlySet<string>): string {
  const base = node.name || node.opType;
  if (node.name !== '' && !taken.has(base)) return base;
  let n = 1;
  while (taken.has(`${base}_${n}`) || given.has(`${base}_${n}`)) n++;
  return `${base}_${n}`;
}

function defined(graph: Graph, input: string, node: string): Value {
  const value = graph.find(input);
  if (value === undefined) throw invalid(`${node}: input ${printable(input)} is not defined`, `node ${node}`, 'no input, initializer or node has this name');
  return value;
}

function addOutput(graph: Graph, info: ValueInfoProto): void {
  const value = graph.find(info.name);
  const name = printable(info.name);
  if (value === undefined) throw invalid(`output ${name} is not produced`, `output ${name}`, 'no input, initializer or node has this name');
  graph.outputs.push(describe(value, info) as Value);
}

function noteUnsorted(graph: Graph, reporter: Reporter): void {
  graph.sortedNodes();
  const done = new Set<Value>();
  for (const node of graph.nodes) {
    const early = node.inputs.find((input) => input?.producer !== undefined && !done.has(input));
    if (early !== undefined) {
      reporter.warn(`nodes are not in topological order (${printable(node.name)} reads ${printable(early.name)} too early): they were sorted`);
      return;
    }
    for (const output of node.outputs) done.add(output);
  }
}

/** Takes over what a ValueInfoProto declares; values that nothing defines are ignored, as ONNX does. */
function describe(value: Value | undefined, info: ValueInfoProto): Value | undefined {
  if (value === undefined || info.type === undefined) return value;
  const name = printable(info.name);
  if (info.type.value.case !== 'tensorType') {
    throw graphError('ONNX_UNSUPPORTED', { what: `${name} is a ${info.type.value.case ?? 'value without a type'}`, why: 'graphs carry tensors only', evidence: { detail: `value ${name}` }, fix: 'export without sequences, maps and optionals' });
  }
  const { elemType, shape } = info.type.value.value;
  value.dtype = elementType(elemType, name);
  if (shape !== undefined && value.tensor === undefined) value.shape = shape.dim.map(({ value: dim }, i) => decodeDim(dim, i, name));
  return value;
}

function elementType(code: number, name: string): DataType {
  if (!isDataType(code)) throw invalid(`${name}: unknown data_type ${code}`, `value ${name}`);
  return code;
}

function decodeDim(dim: { readonly value?: bigint | string | undefined }, index: number, name: string): Dim {
  if (typeof dim.value === 'string') return dim.value === '' ? `${name}_dim_${index}` : dim.value;
  if (dim.value === undefined) return `${name}_dim_${index}`;
  if (dim.value < 0n || dim.value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`${name}: dim ${index} is ${dim.value}`, `value ${name}`, 'dims are non-negative');
  return Number(dim.value);
}

function invalid(what: string, detail: string, why = 'the ONNX specification forbids it'): Error {
  return graphError('ONNX_INVALID', { what, why, evidence: { detail }, fix: 'export the model again' });
}
