/** Rows of a weight expression: every stored tensor in it becomes a byte range of itself, every operator a copy. */
import { type Graph, type Node, type Value, sliceRows } from '@tundish/graph';
import { transformError } from '../errors.js';
import { staticShape } from './head-grid.js';
import { copyForHead, headName } from './naming.js';

const ELEMENTWISE: ReadonlySet<string> = new Set(['Add', 'Sub', 'Mul', 'Div', 'Cast']);

/** The copies made so far, by original value and head. */
export type Slices = Map<Value, Value[]>;

/**
 * Rows [head * rows, (head + 1) * rows) of `value`, whose axis 0 is the output axis: float expressions (Cast, Mul by a
 * gain row) and quantized ones (DequantizeLinear per channel or per block over UINT4, with scales that are expressions).
 *
 * @throws SHA_PATTERN for any other operator
 */
export function sliceParameter(graph: Graph, value: Value, head: number, rows: number, slices: Slices): Value {
  const known = slices.get(value)?.[head];
  if (known !== undefined) return known;
  const slice = value.tensor === undefined ? sliceExpression(graph, value, head, rows, slices) : sliceTensor(graph, value, head, rows);
  return keepSlice(slices, value, head, slice);
}

/** Remembers what took the place of `value` for one head. */
export function keepSlice(slices: Slices, value: Value, head: number, slice: Value): Value {
  const heads = slices.get(value) ?? [];
  heads[head] = slice;
  slices.set(value, heads);
  return slice;
}

function sliceTensor(graph: Graph, value: Value, head: number, rows: number): Value {
  if (value.tensor === undefined) throw unsliceable(value);
  return graph.addInitializer(headName(value.name, head), sliceRows(value.tensor, head * rows, (head + 1) * rows));
}

function sliceExpression(graph: Graph, value: Value, head: number, rows: number, slices: Slices): Value {
  const node = value.producer;
  if (node === undefined) throw unsliceable(value);
  const sliced = operandsWithRows(node, value);
  const inputs = node.inputs.map((input) => (input !== undefined && sliced.has(input) ? sliceParameter(graph, input, head, rows, slices) : input));
  return copyForHead(graph, node, head, inputs, (output) => [rows, ...staticShape(output).slice(1)]).output();
}

/** The operands that have the output axis; the others (gain rows, axes, scalars) serve all heads. */
function operandsWithRows(node: Node, output: Value): ReadonlySet<Value> {
  const [outputRows = 0, ...rest] = staticShape(output);
  const inputs = node.inputs.filter((input) => input !== undefined);
  if (node.opType === 'Unsqueeze') return new Set([node.input(0)]);
  if (node.opType === 'DequantizeLinear') return new Set(isAlongColumns(node) ? [node.input(0)] : inputs.filter((input) => staticShape(input).length > 0));
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
