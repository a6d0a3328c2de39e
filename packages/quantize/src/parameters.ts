/** Finds the parameters of a graph: constant sub-expressions that a computing node reads, and what each is for. */
import { DataType, type Graph, type Node, type Value } from '@tundish/graph';
import { quantizeError } from './errors.js';

/** What a parameter does, which decides how it is quantized. */
export type ParameterRole = 'projection' | 'embedding' | 'gain' | 'bias';

/** One parameter: the value that computing nodes read and the initializer that names it. */
export interface Parameter {
  readonly role: ParameterRole;
  /** Name of the weight initializer, for example `model.layers.0.mlp.up_proj.weight`. */
  readonly name: string;
  /** Root of the `[out,in]` (or vector) expression: before the Transpose of a projection. */
  readonly root: Value;
  /** The nodes that compute with it; for projections the MatMul nodes behind the Transpose. */
  readonly consumers: readonly Node[];
}

/** Values that depend on initializers alone. */
export function constantValues(graph: Graph): ReadonlySet<Value> {
  const constant = new Set<Value>(graph.initializers);
  for (const node of graph.sortedNodes()) {
    const inputs = node.inputs.filter((input) => input !== undefined);
    if (inputs.length > 0 && inputs.every((input) => constant.has(input))) for (const output of node.outputs) constant.add(output);
  }
  return constant;
}

/**
 * Parameters in the order in which the graph first reads them. Integer constants and inline scalars (shapes, axes, the
 * attention scale) are structure, not parameters.
 *
 * @throws QUANTIZE_UNKNOWN_PARAMETER for a floating constant in a place that no rule covers
 */
export function findParameters(graph: Graph): Parameter[] {
  const constant = constantValues(graph);
  const found = new Map<Value, Parameter>();
  for (const node of graph.sortedNodes()) {
    if (node.outputs.every((output) => constant.has(output))) continue;
    node.inputs.forEach((input, index) => {
      if (input === undefined || !constant.has(input) || isStructure(input)) return;
      const role = roleOf(node, index);
      if (role === undefined) {
        throw quantizeError('QUANTIZE_UNKNOWN_PARAMETER', {
          what: `${node.opType} ${node.name} reads the constant ${input.name} as input ${index}`,
          why: 'only projections, embeddings, norm gains and biases are quantized',
        });
      }
      const root = role === 'projection' ? behindTranspose(input) : input;
      const known = found.get(root);
      found.set(root, { role, name: weightName(root), root, consumers: [...(known?.consumers ?? []), node] });
    });
  }
  return [...found.values()];
}

function isStructure(value: Value): boolean {
  if (value.dtype === DataType.INT64 || value.dtype === DataType.INT32) return true;
  return value.tensor?.kind === 'inline' && value.tensor.dims.length === 0;
}

function roleOf(node: Node, index: number): ParameterRole | undefined {
  if (node.opType === 'MatMul' && index === 1) return 'projection';
  if (node.opType === 'Gather' && index === 0) return 'embedding';
  if (node.opType === 'RMSNormalization' && index === 1) return 'gain';
  if (node.opType === 'Add') return 'bias';
  return undefined;
}

function behindTranspose(value: Value): Value {
  return value.producer?.opType === 'Transpose' ? value.producer.input(0) : value;
}

/** The initializer that gives a parameter its name: the one with the most elements in its expression. */
function weightName(root: Value): string {
  let best: Value | undefined;
  const pending: Value[] = [root];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (value.tensor !== undefined && (best === undefined || size(value) > size(best))) best = value;
    for (const input of value.producer?.inputs ?? []) if (input !== undefined) pending.push(input);
  }
  return (best ?? root).name;
}

function size(value: Value): number {
  return (value.tensor?.dims ?? []).reduce((count, dim) => count * dim, 1);
}
