/** Copies of models: whole ones, and the part of one that computes given outputs from given inputs. */
import { printable } from '@tundish/diagnostics';
import { graphError } from './errors.js';
import { Graph, type Model } from './graph.js';
import type { Attribute, Node, Value } from './node.js';

/** A model with its own graph; tensors are shared, since they never change. Names and orders are equal. */
export function cloneModel(model: Model): Model {
  const source = model.graph;
  const graph = new Graph(source.name);
  for (const value of source.values) copyValue(graph, value);
  for (const input of source.inputs) graph.inputs.push(graph.value(input.name));
  for (const node of source.nodes) copyNode(graph, node);
  for (const output of source.outputs) graph.outputs.push(graph.value(output.name));
  return { ...model, opsetImports: new Map(model.opsetImports), metadata: new Map(model.metadata), graph };
}

/**
 * A new model that computes `outputs` from `inputs` and from whatever initializers that needs. Values of the source that
 * are named as inputs become graph inputs, in the order given, as far as the outputs depend on them. All names stay.
 *
 * @throws GRAPH_UNKNOWN_VALUE for a name that the graph does not have
 * @throws GRAPH_EXTRACT when an output depends on a graph input that is not named, or the type of an input is not known
 */
export function extractGraph(model: Model, inputs: readonly string[], outputs: readonly string[]): Model {
  const source = model.graph;
  const cut = new Set(inputs.map((name) => source.value(name)));
  const needed = closure(outputs.map((name) => source.value(name)), cut);
  const missing = source.inputs.find((input) => needed.has(input) && !cut.has(input));
  if (missing !== undefined) {
    throw graphError('GRAPH_EXTRACT', {
      what: `${printable(missing.name)} is needed to compute ${outputs.map((name) => printable(name)).join(', ')}`,
      why: 'it is an input of the source graph and was not named as an input of the extract',
      fix: 'name it as an input, or name a value between it and the outputs',
    });
  }
  const graph = new Graph(source.name);
  for (const value of cut) if (needed.has(value)) addCutInput(graph, value);
  for (const value of source.values) if (needed.has(value) && !cut.has(value)) copyValue(graph, value);
  const made = (node: Node): boolean => node.outputs.some((output) => needed.has(output) && !cut.has(output));
  for (const node of source.nodes) if (made(node)) copyNode(graph, node);
  for (const name of outputs) graph.outputs.push(graph.value(name));
  return { ...model, opsetImports: new Map(model.opsetImports), metadata: new Map(model.metadata), graph };
}

/** All values that `outputs` depend on, up to and including the cut. */
function closure(outputs: readonly Value[], cut: ReadonlySet<Value>): Set<Value> {
  const needed = new Set<Value>();
  const pending = [...outputs];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (needed.has(value)) continue;
    needed.add(value);
    if (cut.has(value) || value.producer === undefined) continue;
    for (const input of value.producer.inputs) if (input !== undefined) pending.push(input);
    // A node is copied whole, so its other outputs exist too.
    for (const output of value.producer.outputs) if (!cut.has(output)) needed.add(output);
  }
  return needed;
}

function addCutInput(graph: Graph, value: Value): void {
  if (value.dtype === undefined || value.shape === undefined) {
    throw graphError('GRAPH_EXTRACT', {
      what: `the type of ${printable(value.name)} is not known`,
      why: 'a graph input has a declared element type and shape',
      fix: 'run inferShapes first',
    });
  }
  graph.addInput(value.name, value.dtype, value.shape);
}

function copyValue(graph: Graph, value: Value): void {
  graph.addValue(value.name, value.dtype, value.shape).tensor = value.tensor;
}

function copyNode(graph: Graph, node: Node): void {
  graph.addNode({
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    inputs: node.inputs.map((input) => (input === undefined ? undefined : graph.value(input.name))),
    outputs: node.outputs.map((output) => output.name),
    attributes: Object.fromEntries<Attribute>(node.attributes),
  });
}
