/** Lowers Gather over a quantized table, so that only the gathered rows are ever dequantized. */
import { type Attribute, DataType, type Node, type Value } from '@tundish/graph';
import { type LoweringSite, bytesView } from './linear.js';
import { quantizedWeight } from './weight-expression.js';

const int = (value: number): Attribute => ({ type: 'int', value });

/** The rows named `output`, or undefined when the table of `node` is not dequantized as a whole. @throws HOST_WEIGHT_FORM */
export function lowerGather(site: LoweringSite, node: Node, output: string): Value | undefined {
  if (node.opType !== 'Gather' || (node.int('axis') ?? 0) !== 0) return undefined;
  const dequantize = node.input(0).producer;
  if (dequantize?.opType !== 'DequantizeLinear') return undefined;
  const ids = site.resolve(node.input(1));
  const weight = quantizedWeight(node.input(0), site.parameters);
  if (weight?.kind === 'blockwise' && weight.bits === 4) {
    const table = bytesView(site.graph, weight.name, weight.codes, [weight.rows, weight.columns / 2]);
    const attributes = { gather_axis: int(0), quantize_axis: int(1), block_size: int(weight.blockSize), bits: int(4) };
    const inputs = [table, ids, site.resolve(weight.scale)];
    return site.graph.addNode({ opType: 'GatherBlockQuantized', domain: 'com.microsoft', name: node.name, inputs, outputs: [output], attributes }).output();
  }
  if (dequantize.input(1).tensor?.dims.length !== 0) return undefined;
  const codes = site.graph.addNode({ opType: 'Gather', name: `${node.name}/codes`, inputs: [site.resolve(dequantize.input(0)), ids], outputs: [`${output}_codes`], attributes: { axis: int(0) } }).output();
  const grid = dequantize.inputs.slice(1).map((input) => (input === undefined ? undefined : site.resolve(input)));
  const rows = site.graph.addNode({ opType: 'DequantizeLinear', name: node.name, inputs: [codes, ...grid], outputs: [output] }).output();
  rows.dtype = DataType.FLOAT;
  return rows;
}
