/** Rows of a weight expression: every stored tensor in it becomes a byte range of itself, every operator a copy. */
import { type Graph, type Node, type Tensor, type Value, rotationOf, sliceRows } from '@tundish/graph';
import { transformError } from '../errors.js';
import { staticShape } from './head-grid.js';
import { copyForHeads, headName } from './naming.js';

const ELEMENTWISE: ReadonlySet<string> = new Set(['Add', 'Sub', 'Mul', 'Div', 'Cast']);

/** What took the place of each value, by head. */
export type Slices = Map<Value, readonly Value[]>;

/**
 * Equal runs of the rows of `value`, one a head; axis 0 is the output axis. Float expressions (Cast, Mul by a gain row,
 * rotations that stay within a head) and quantized ones (DequantizeLinear per channel, or per block with scales that are
 * expressions) are copied a head.
 *
 * @throws SHA_PATTERN for any other operator
 */
export function sliceParameter(graph: Graph, value: Value, heads: number, slices: Slices): readonly Value[] {
  const known = slices.get(value);
  if (known !== undefined) return known;
  const rows = (staticShape(value)[0] ?? 0) / heads;
  const made = value.tensor === undefined ? sliceExpression(graph, value, heads, rows, slices) : sliceTensor(graph, value.name, value.tensor, heads, rows);
  slices.set(value, made);
  return made;
}

function sliceTensor(graph: Graph, name: string, tensor: Tensor, heads: number, rows: number): readonly Value[] {
  return Array.from({ length: heads }, (_, head) => graph.addInitializer(headName(name, head), sliceRows(tensor, head * rows, (head + 1) * rows)));
}

function sliceExpression(graph: Graph, value: Value, heads: number, rows: number, slices: Slices): readonly Value[] {
  const node = value.producer;
  if (node === undefined) throw unsliceable(value);
  const withRows = operandsWithRows(node, value, rows);
  const operands = node.inputs.map((input) => (input !== undefined && withRows.has(input) ? sliceParameter(graph, input, heads, slices) : undefined));
  const inputsOf = (head: number): (Value | undefined)[] => node.inputs.map((input, i) => operands[i]?.[head] ?? input);
  return copyForHeads(graph, node, heads, inputsOf, (output) => [rows, ...staticShape(output).slice(1)]).map((copy) => copy.output());
}

/** The operands that have the output axis; the others (gain rows, axes, scalars) serve all heads. */
function operandsWithRows(node: Node, output: Value, rows: number): ReadonlySet<Value> {
  const [outputRows = 0, ...rest] = staticShape(output);
  const inputs = node.inputs.filter((input) => input !== undefined);
  if (node.opType === 'Unsqueeze') return new Set([node.input(0)]);
  if (node.opType === 'DequantizeLinear') return new Set(isAlongColumns(node) ? [node.input(0)] : inputs.filter((input) => staticShape(input).length > 0));
  const rotation = rotationOf(node);
  if (rotation !== undefined && (rotation.axis !== 0 || rows % rotation.size === 0)) return new Set(inputs);
  if (!ELEMENTWISE.has(node.opType)) throw unsliceable(output);
  return new Set(inputs.filter((input) => staticShape(input).length === rest.length + 1 && staticShape(input)[0] === outputRows));
}

/** True for one scale a column: such scales have no output axis. Blocks have scales of the weight's own rank. */
function isAlongColumns(node: Node): boolean {
  const axis = node.int('axis') ?? 1;
  return staticShape(node.input(1)).length === 1 && axis !== 0 && axis !== -staticShape(node.input(0)).length;
}

function unsliceable(value: Value): Error {
  return transformError('SHA_PATTERN', {
    what: `the weight expression at ${value.name} cannot be cut by heads`,
    why: value.producer === undefined ? 'it is an input of the graph' : `${value.producer.opType} is not known to keep rows apart`,
  });
}
