/** A picture of compiled graphs as an ONNX file, for viewers such as Netron: inputs, outputs, and one node for all between. */
import { type Attribute, Graph, TUNDISH_DOMAIN, encodeModel } from '@tundish/graph';
import type { BinaryGraph, BinaryTensor } from '../inspection/context-binary.js';
import { encodingEntries, onnxType } from './onnx-tensor.js';

export interface SketchRequest {
  /** Of the picture. */
  readonly name: string;
  /** Operator of the nodes. */
  readonly operator: 'ContextBinaryGraph' | 'ContainerGraph';
  readonly graphs: readonly BinaryGraph[];
  /** What is said of the whole file. */
  readonly facts: readonly (readonly [label: string, value: string])[];
}

/**
 * Nothing executes it. Tensors have the names that the graph gives them; of several graphs, the name of the graph and a slash
 * stand before.
 *
 * @throws QAIRT_EXPORT_TYPE
 */
export function onnxSketch({ name, operator, graphs, facts }: SketchRequest): Uint8Array {
  const sketch = new Graph(name);
  const drawn = graphs.flatMap((graph) => drawGraph(sketch, operator, graph, graphs.length === 1 ? '' : `${graph.name}/`));
  return encodeModel({
    irVersion: 10, opsetImports: new Map([['', 21], [TUNDISH_DOMAIN, 1]]), producerName: 'tundish', graph: sketch,
    metadata: new Map([...facts, ...encodingEntries(drawn)]),
  });
}

/** @returns the tensors, with their names in the picture */
function drawGraph(sketch: Graph, operator: string, { name, inputs, outputs, memory }: BinaryGraph, prefix: string): (BinaryTensor & { readonly as: string })[] {
  const within = (tensors: readonly BinaryTensor[]) => tensors.map((tensor) => ({ ...tensor, as: `${prefix}${tensor.name}` }));
  const [read, made] = [within(inputs), within(outputs)];
  const attributes = Object.fromEntries(Object.entries(memory ?? {}).map(([fact, value]): [string, Attribute] => [fact, { type: 'int', value }]));
  sketch.addNode({ opType: operator, domain: TUNDISH_DOMAIN, name, inputs: read.map((tensor) => sketch.addInput(tensor.as, onnxType(tensor), tensor.shape)), outputs: made.map(({ as }) => as), attributes });
  for (const tensor of made) {
    const output = sketch.value(tensor.as);
    output.dtype = onnxType(tensor);
    output.shape = tensor.shape;
    sketch.outputs.push(output);
  }
  return [...read, ...made];
}
