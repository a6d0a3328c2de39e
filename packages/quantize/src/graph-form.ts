/** Writes quantized parameters into a graph as dequantization expressions over their byte ranges. */
import { type Attribute, DataType, type ExternalTensor, type Graph, type Node, type Value, floatTensor, inlineTensor, bytesOf } from '@tundish/graph';
import { findParameters, type Parameter } from './parameters.js';
import type { QuantizedWeight } from './quantized-weight.js';

const int = (value: number): Attribute => ({ type: 'int', value });

/**
 * Replaces every parameter that `quantized` knows; the float expression it had is dropped first, so that the codes can
 * take the weight's own name, which encodings files and device tools go by.
 */
export function replaceParameters(graph: Graph, quantized: ReadonlyMap<string, QuantizedWeight>): void {
  const found = findParameters(graph).filter((parameter) => quantized.has(quantizedKey(parameter)));
  for (const { node, index } of found.flatMap(({ uses }) => uses)) node.replaceInput(index, undefined);
  graph.prune();
  for (const parameter of found) {
    const weight = quantized.get(quantizedKey(parameter)) as QuantizedWeight;
    const { uses } = parameter;
    if (weight.kind === 'per-tensor' && parameter.role === 'embedding') {
      for (const { node } of uses) gatherCodes(graph, node, parameter, weight);
    } else {
      const value = dequantized(graph, parameter, weight);
      for (const { node, index } of uses) node.replaceInput(index, value);
    }
  }
}

/** A tied table is two parameters: the rows that are gathered and the head that multiplies, each with a grid of its own. */
export function quantizedKey(parameter: Parameter): string {
  return `${parameter.role}:${parameter.name}`;
}

/** A tied head gets the name that it would have untied: the embedding table keeps its own. */
function tensorName(graph: Graph, parameter: Parameter): string {
  return parameter.role === 'projection' && (parameter.name.includes('embed_tokens') || graph.find(parameter.name) !== undefined) ? 'lm_head.weight' : parameter.name;
}

function dequantized(graph: Graph, parameter: Parameter, weight: QuantizedWeight): Value {
  const name = tensorName(graph, parameter);
  if (weight.kind === 'float') return graph.addInitializer(name, weight.values);
  const codes = graph.addInitializer(name, weight.codes);
  if (weight.kind === 'lpbq') return lpbqExpression(graph, name, codes, weight);
  if (weight.kind === 'per-channel') return floatScales(graph, name, codes, weight, { axis: int(0) });
  if (weight.kind === 'per-block') return floatScales(graph, name, codes, weight, { axis: int(1), block_size: int(weight.blockSize) });
  return dequantize(graph, name, [codes, ...gridConstants(graph, name, weight)], {}, weight.codes);
}

function lpbqExpression(graph: Graph, name: string, codes: Value, weight: QuantizedWeight & { kind: 'lpbq' }): Value {
  const blockScale = graph.addInitializer(`${name}.block_scale`, weight.blockScale);
  const channelScale = graph.addInitializer(`${name}.channel_scale`, weight.channelScale);
  const zeroPoint = graph.addInitializer(`${name}.zero_point`, weight.zeroPoint);
  const widened = typed(graph.addNode({ opType: 'Cast', name: `${name}/block_scale`, inputs: [blockScale], attributes: { to: int(DataType.FLOAT) } }), weight.blockScale.dims);
  const scale = typed(graph.addNode({ opType: 'Mul', name: `${name}/scale`, inputs: [widened, channelScale] }), weight.blockScale.dims);
  return dequantize(graph, name, [codes, scale, zeroPoint], { axis: int(1), block_size: int(weight.blockSize) }, weight.codes);
}

function floatScales(graph: Graph, name: string, codes: Value, weight: QuantizedWeight & { kind: 'per-channel' | 'per-block' }, attributes: Record<string, Attribute>): Value {
  const scale = graph.addInitializer(`${name}.scale`, weight.scale);
  const zeroPoint = weight.zeroPoint === undefined ? [] : [graph.addInitializer(`${name}.zero_point`, weight.zeroPoint)];
  return dequantize(graph, name, [codes, scale, ...zeroPoint], attributes, weight.codes);
}

/** Gathers codes and dequantizes the gathered rows: the table is never widened. */
function gatherCodes(graph: Graph, gather: Node, parameter: Parameter, weight: QuantizedWeight & { kind: 'per-tensor' }): void {
  const name = parameter.name;
  const codes = graph.find(name) ?? graph.addInitializer(name, weight.codes);
  const output = gather.output();
  const picked = graph.addNode({ opType: 'Gather', name: `${gather.name}_codes`, inputs: [codes, gather.inputs[1]], attributes: { axis: int(0) } }).output();
  picked.dtype = weight.codes.dtype;
  picked.shape = output.shape;
  graph.replaceProducer(output, { opType: 'DequantizeLinear', name: `${gather.name}/dequantized`, inputs: [picked, ...gridConstants(graph, name, weight)] });
}

/** Scale and zero point of a per-tensor grid, inline: they are a few bytes. */
function gridConstants(graph: Graph, name: string, weight: QuantizedWeight & { kind: 'per-tensor' }): Value[] {
  const { scale, zeroPoint } = weight.encoding;
  const point = weight.codes.dtype === DataType.UINT8 ? Uint8Array.of(zeroPoint) : Uint16Array.of(zeroPoint);
  return [
    graph.find(`${name}.scale`) ?? graph.addInitializer(`${name}.scale`, floatTensor([scale], [])),
    graph.find(`${name}.zero_point`) ?? graph.addInitializer(`${name}.zero_point`, inlineTensor(weight.codes.dtype, [], bytesOf(point))),
  ];
}

function dequantize(graph: Graph, name: string, inputs: readonly Value[], attributes: Record<string, Attribute>, like: ExternalTensor): Value {
  return typed(graph.addNode({ opType: 'DequantizeLinear', name: `${name}/dequantized`, inputs, attributes }), like.dims);
}

function typed(node: Node, dims: readonly number[]): Value {
  const value = node.output();
  value.dtype = DataType.FLOAT;
  value.shape = dims;
  return value;
}
