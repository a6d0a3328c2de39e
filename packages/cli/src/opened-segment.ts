/** A piece of a model opened for execution with real values in and out, whatever its inputs and outputs are stored as. */
import type { Encodings, Model } from '@tundish/graph';
import { decode, encodeAll } from '@tundish/runtime';
import type { FileResolver, GraphIo, IoTensor, ReferenceExecutor, TensorData } from '@tundish/toolchain';
import { type GraphRequest, openGraph } from './compiled-graph.js';

export interface OpenedSegment {
  /** All outputs by name. Inputs that `values` does not hold (the cache) are zero; values that it does not read are passed over. */
  run(values: ReadonlyMap<string, Float32Array | Int32Array>): Promise<Map<string, Float32Array>>;
  /** What becomes of real values of the input `name` on their way in: themselves, or the nearest ones of its grid. */
  entering(name: string, values: Float32Array): Float32Array;
  close(): Promise<void>;
}

export interface FloatRequest {
  readonly executor: ReferenceExecutor;
  readonly model: Model;
  /** Encodings of quantized weights, which may then be multiplied as codes. */
  readonly parameters?: Encodings['parameters'];
  readonly resolve: FileResolver;
  readonly threads: number;
}

/** Activations and cache in float32. */
export async function openFloatSegment({ executor, ...request }: FloatRequest): Promise<OpenedSegment> {
  const opened = await executor.open(request);
  const { inputs } = request.model.graph;
  return {
    run: async (values) => {
      const feeds = inputs.map(({ name, shape }): [string, TensorData] => [name, values.get(name) ?? new Float32Array(elements(shape ?? []))]);
      return (await opened.run(new Map(feeds))) as Map<string, Float32Array>;
    },
    entering: (_, values) => values,
    close: () => opened.close(),
  };
}

/** Activations and cache as the toolchain simulates them: inputs are rounded to their grids, outputs read from codes. */
export async function openEncodedSegment(request: GraphRequest): Promise<OpenedSegment> {
  const executable = await openGraph(request);
  const { name: graph, inputs, outputs } = executable.graphs[0] as GraphIo;
  return {
    run: async (values) => {
      const results = await executable.run(graph, new Map(inputs.map((tensor) => [tensor.name, stored(tensor, values.get(tensor.name))])));
      return new Map(outputs.map((tensor) => [tensor.name, decode(tensor, results.get(tensor.name) as TensorData, 0, elements(tensor.shape))]));
    },
    entering: (name, values) => {
      const tensor = inputs.find((input) => input.name === name);
      return tensor === undefined ? values : decode(tensor, encodeAll(tensor, values), 0, values.length);
    },
    close: () => executable.close(),
  };
}

function stored(tensor: IoTensor, values: Float32Array | Int32Array | undefined): TensorData {
  return values instanceof Int32Array ? values : encodeAll(tensor, values ?? new Float32Array(elements(tensor.shape)));
}

function elements(shape: readonly (number | string)[]): number {
  return shape.reduce<number>((count, dim) => count * Number(dim), 1);
}
