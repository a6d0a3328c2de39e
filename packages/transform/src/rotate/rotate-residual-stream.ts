/** R1: follows the residual stream from the embedding on, and rotates every weight that reads or writes it. */
import { printable } from '@tundish/diagnostics';
import { DataType, type Graph, type Node, type Value, addRotation, constantValues, evaluateParameter, matchProjection } from '@tundish/graph';
import { transformError } from '../errors.js';
import { isAlone, projectionInto, rotateInputs, rotateOutputs } from './rotate-projection.js';

/**
 * x becomes x R everywhere: E R, W R where a layer reads the stream or its norm, Rᵀ W and Rᵀ b where one is added to it.
 * RMSNorm with unit gain commutes with R, for |x R| = |x|.
 *
 * @returns the width of the stream
 * @throws ROTATE_GAIN for a norm with another gain, ROTATE_STREAM for a graph that does anything else with the stream
 */
export function rotateResidualStream(graph: Graph): number {
  const constants = constantValues(graph);
  const stream = new Set<Value>();
  for (const node of graph.sortedNodes()) {
    const output = node.outputs[0];
    if (output === undefined || constants.has(output)) continue;
    if (isEmbedding(node, constants)) {
      rotateTable(node);
      stream.add(output);
    } else if (node.inputs.some((input) => input !== undefined && stream.has(input))) {
      if (passRotation(node, stream)) stream.add(output);
    }
  }
  const [first] = stream;
  const left = graph.outputs.find((output) => stream.has(output));
  if (first === undefined) throw refuse(`graph ${printable(graph.name)} has no embedding`, 'the residual stream begins at a Gather from a stored table');
  if (left !== undefined) throw refuse(`the residual stream leaves the graph as ${printable(left.name)}`, 'who reads it there would see it rotated');
  return widthOf(first);
}

function isEmbedding(node: Node, constants: ReadonlySet<Value>): boolean {
  const table = node.opType === 'Gather' ? node.input(0) : undefined;
  return table !== undefined && constants.has(table) && table.dtype === DataType.FLOAT && table.shape?.length === 2;
}

function rotateTable(gather: Node): void {
  const table = gather.input(0);
  gather.replaceInput(0, addRotation(gather.graph, table, { axis: 1, size: widthOf(table) }, `${gather.name}/rotation`));
}

/** Changes what `node` reads beside the stream. @returns whether its output is rotated */
function passRotation(node: Node, stream: ReadonlySet<Value>): boolean {
  if (node.opType === 'RMSNormalization') {
    requireUnitGain(node);
    return true;
  }
  if (node.opType === 'Add') {
    for (const input of node.inputs) if (input !== undefined && !stream.has(input)) rotateWriter(node, input);
    return true;
  }
  const reader = matchProjection(node);
  if (reader === undefined || !stream.has(reader.input) || !isAlone(reader)) throw refuse(`${node.opType} ${printable(node.name)} reads the residual stream`, 'norms, linear layers with weights of their own and additions can');
  rotateInputs(reader, widthOf(reader.input));
  return false;
}

function rotateWriter(add: Node, value: Value): void {
  const writer = projectionInto(value);
  if (writer === undefined || value.uses.length > 1 || value.graph.outputs.includes(value)) {
    throw refuse(`${printable(add.name)} adds ${printable(value.name)} to the residual stream`, 'that has to be the result of a linear layer that nothing else reads');
  }
  rotateOutputs(writer, widthOf(add.output()));
}

function requireUnitGain(norm: Node): void {
  const gain = norm.input(1);
  const { tensor } = gain;
  if (tensor?.kind === 'inline' && evaluateParameter(gain, () => tensor.data).every((value) => value === 1)) return;
  throw transformError('ROTATE_GAIN', {
    what: `${printable(norm.name)} has a gain of its own`,
    why: 'only a norm without gain commutes with a rotation, and folding leaves the gain of one that something else than linear layers reads',
    fix: 'leave out r1 for this model',
  });
}

function widthOf(value: Value): number {
  return Number(value.shape?.at(-1));
}

function refuse(what: string, why: string): Error {
  return transformError('ROTATE_STREAM', { what, why, fix: 'leave out r1 for this model' });
}
