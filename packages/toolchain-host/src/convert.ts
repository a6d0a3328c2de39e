/** The convert step: lowering and encoding, bytes of a graph only. */
import { encodeModel } from '@tundish/graph';
import { type ConvertRequest, type ConvertResult, graphName } from '@tundish/toolchain';
import { hostError } from './errors.js';
import { ioTable } from './lowering/io-table.js';
import { lowerModel } from './lowering/lower-graph.js';

/**
 * One ONNX file named after the graph. Weights stay byte ranges of the files that the model names. Option `numerics`: `exact`
 * (default), or `htp`, which computes as a Hexagon processor does; then `rotaryEmbedding`: `composed` (default), or `operation`.
 *
 * @param products whether products of codes become operators of our own (`identity().operators`)
 * @throws HOST_NUMERICS for `htp` where it has no meaning; what `lowerModel` and `ioTable` throw
 */
export function convertGraph(request: ConvertRequest, products: boolean): ConvertResult {
  const name = graphName(request.cell);
  const numerics = request.options['numerics'] === 'htp' ? 'htp' : 'exact';
  if (numerics === 'htp') assertSimulable(request, products);
  const rotaryEmbedding = request.options['rotaryEmbedding'] === 'operation' ? 'operation' : 'composed';
  const lowered = lowerModel(request.model, request.encodings, name, products, { numerics, rotaryEmbedding });
  return { io: ioTable(lowered, request.cell, numerics), files: [{ name: `${name}.onnx`, content: { bytes: encodeModel(lowered.model) } }] };
}

function assertSimulable({ encodings }: ConvertRequest, products: boolean): void {
  const why = !products ? 'the operators that compute so are in the addon, which is not built here' : encodings === undefined ? 'the build is in floating point' : encodings.activations.size === 0 ? 'only the weights are quantized' : undefined;
  if (why === undefined) return;
  throw hostError('HOST_NUMERICS', { what: 'convert.numerics: htp has no meaning for this build', why, fix: products ? 'quantize activations, or leave convert.numerics at exact' : 'build the addon with `node native/build.mjs`, or leave convert.numerics at exact' });
}
