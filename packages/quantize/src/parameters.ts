/** Finds the parameters of a graph: constant sub-expressions that a computing node reads, and what each is for. */
import { DataType, type Graph, type Node, type Use, type Value, constantValues, isHadamardTensor } from '@tundish/graph';
import { quantizeError } from './errors.js';

/** What a parameter does, which decides how it is quantized. A rotation is a Hadamard matrix that heads are multiplied with. */
export type ParameterRole = 'projection' | 'rotation' | 'embedding' | 'gain' | 'bias';

/** One parameter: the value that computing nodes read and the initializer that names it. */
export interface Parameter {
  readonly role: ParameterRole;
  /** Name of the weight initializer, for example `model.layers.0.mlp.up_proj.weight`. */
  readonly name: string;
  /** Root of the `[out,in]` (or vector) expression: before the Transpose of a projection or rotation. */
  readonly root: Value;
  /** Where the graph reads `root` for this role; for projections and rotations the Transpose, if there is one. */
  readonly uses: readonly Use[];
  /** The nodes that compute with it; for projections and rotations the MatMul nodes behind the Transpose. */
  readonly consumers: readonly Node[];
}

/**
 * Parameters in the order in which the graph first reads them. Integer constants and inline scalars (shapes, axes, the
 * attention scale) are structure, not parameters. A value that is read in two roles (a tied float32 table) is two parameters.
 *
 * @throws QUANTIZE_UNKNOWN_PARAMETER for a floating constant in a place that no rule covers
 */
export function findParameters(graph: Graph): Parameter[] {
  const constant = constantValues(graph);
  const found: Parameter[] = [];
  for (const node of graph.sortedNodes()) {
    if (node.outputs.every((output) => constant.has(output))) continue;
    node.inputs.forEach((input, index) => {
      if (input === undefined || !constant.has(input) || isStructure(input)) return;
      const role = roleOf(node, index);
      if (role === undefined) {
        throw quantizeError('QUANTIZE_UNKNOWN_PARAMETER', {
          what: `${node.opType} ${node.name} reads the constant ${input.name} as input ${index}`,
          why: 'only projections, rotations, embeddings, norm gains and biases are quantized',
        });
      }
      addUse(found, role, node.opType === 'MatMul' ? behindTranspose({ node, index }, input) : { node, index }, node);
    });
  }
  return found;
}

function addUse(found: Parameter[], role: ParameterRole, use: Use, consumer: Node): void {
  const root = use.node.input(use.index);
  const at = found.findIndex((parameter) => parameter.root === root && parameter.role === role);
  const known = found[at];
  if (known === undefined) {
    found.push({ role, name: weightName(root), root, uses: [use], consumers: [consumer] });
    return;
  }
  const uses = known.uses.some(({ node, index }) => node === use.node && index === use.index) ? known.uses : [...known.uses, use];
  found[at] = { ...known, uses, consumers: [...known.consumers, consumer] };
}

function isStructure(value: Value): boolean {
  if (value.dtype === DataType.INT64 || value.dtype === DataType.INT32) return true;
  return value.tensor?.kind === 'inline' && value.tensor.dims.length === 0;
}

function roleOf(node: Node, index: number): ParameterRole | undefined {
  if (node.opType === 'MatMul' && index === 1) return isHadamardTensor(matrixOf(node.input(1)).tensor) ? 'rotation' : 'projection';
  if (node.opType === 'Gather' && index === 0) return 'embedding';
  if (node.opType === 'RMSNormalization' && index === 1) return 'gain';
  if (node.opType === 'Add') return 'bias';
  return undefined;
}

function behindTranspose(use: Use, read: Value): Use {
  return read.producer?.opType === 'Transpose' ? { node: read.producer, index: 0 } : use;
}

function matrixOf(read: Value): Value {
  return read.producer?.opType === 'Transpose' ? read.producer.input(0) : read;
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
