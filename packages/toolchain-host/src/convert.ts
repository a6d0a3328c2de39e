/** The convert step: lowering and encoding, bytes of a graph only. */
import { encodeModel } from '@tundish/graph';
import { type ConvertRequest, type ConvertResult, graphName } from '@tundish/toolchain';
import { ioTable } from './lowering/io-table.js';
import { lowerModel } from './lowering/lower-graph.js';

/**
 * One ONNX file named after the graph. Weights stay byte ranges of the files that the model names.
 *
 * @param products whether products of codes become operators of our own (`identity().operators`)
 */
export function convertGraph(request: ConvertRequest, products: boolean): ConvertResult {
  const name = graphName(request.cell);
  const lowered = lowerModel(request.model, request.encodings, name, products);
  return { io: ioTable(lowered, request.cell), files: [{ name: `${name}.onnx`, content: { bytes: encodeModel(lowered.model) } }] };
}
