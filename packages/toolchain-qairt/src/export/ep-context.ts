/** An ONNX file around one graph of a context binary: ONNX Runtime's QNN provider executes it from there. */
import { printable } from '@tundish/diagnostics';
import { type Attribute, Graph, encodeModel } from '@tundish/graph';
import type { BinaryTensor, ContextBinary } from '../inspection/context-binary.js';
import { qairtError } from '../libraries/errors.js';
import { encodingEntries, onnxType } from './onnx-tensor.js';

/** The domain of ONNX Runtime's own operators. */
const DOMAIN = 'com.microsoft';

/**
 * One node EPContext (ONNX Runtime, docs/ContribOperators.md), which names the binary and has the name of the graph. Inputs and
 * outputs take and give codes, as the graph does; scales and zero points are in the metadata.
 *
 * @param fileName of the binary, in the folder of the ONNX file
 * @throws QAIRT_EXPORT_TYPE, and QAIRT_ARGUMENT when the binary has no such graph
 */
export function epContextModel(binary: ContextBinary, graphName: string, fileName: string): Uint8Array {
  const compiled = binary.graphs.find(({ name }) => name === graphName);
  if (compiled === undefined) throw qairtError('QAIRT_ARGUMENT', { what: `${printable(binary.path)} has no graph ${printable(graphName)}`, why: `it has ${binary.graphs.map(({ name }) => printable(name)).join(', ')}` });
  const graph = new Graph(graphName);
  const inputs = compiled.inputs.map((tensor) => graph.addInput(tensor.name, onnxType(tensor), tensor.shape));
  graph.addNode({ opType: 'EPContext', domain: DOMAIN, name: graphName, inputs, outputs: compiled.outputs.map(({ name }) => name), attributes: attributesOf(binary, graphName, fileName) });
  for (const tensor of compiled.outputs) {
    const output = graph.value(tensor.name);
    output.dtype = onnxType(tensor);
    output.shape = tensor.shape;
    graph.outputs.push(output);
  }
  const named = (tensors: readonly BinaryTensor[]) => tensors.map((tensor) => ({ ...tensor, as: tensor.name }));
  return encodeModel({
    irVersion: 10, opsetImports: new Map([['', 21], [DOMAIN, 1]]), producerName: 'tundish', graph,
    metadata: new Map(encodingEntries(named([...compiled.inputs, ...compiled.outputs]))),
  });
}

/** Every file of a binary carries the whole context: `main_context`. */
function attributesOf({ buildId }: ContextBinary, graph: string, fileName: string): Record<string, Attribute> {
  return {
    main_context: { type: 'int', value: 1 },
    embed_mode: { type: 'int', value: 0 },
    ep_cache_context: { type: 'string', value: fileName },
    ep_sdk_version: { type: 'string', value: buildId },
    partition_name: { type: 'string', value: graph },
    source: { type: 'string', value: 'QNN' },
  };
}
