/** Decides how many bits the cache of a layer needs, by what 8 bits do to its attention on windows that nothing was learned from. */
import { type Graph, type InlineTensor, type Model, type PerTensorEncoding, type Value, cloneModel, floatTensor } from '@tundish/graph';
import { judgingWindows } from '@tundish/recipe/calibration-windows';
import type { ObserveRequest } from './observe.js';

/**
 * Largest squared error of the attention output that 8-bit codes of keys and values may cause, in parts of its square: a
 * tenth of what rounding weights to 4 bits costs a layer, so that the cache is not what limits the model.
 */
export const LARGEST_CACHE_ERROR = 1e-3;

/** What a layer's cache costs, and what follows. */
export interface CacheDecision {
  readonly bits: 8 | 16;
  /** |a' - a|² / |a|² of the attention output a with the cache in 8 bits, over held-out windows; all where none are held out. */
  readonly error: number;
}

/** The segment as it was observed. */
export type CacheRequest = Omit<ObserveRequest, 'observer' | 'cacheGranularity' | 'output' | 'onOutput'>;

/**
 * @param request its windows are run once more, every eighth alone where there are eight
 * @param caches 8-bit encodings of the cache values that leave the segment
 */
export async function decideCacheBits(request: CacheRequest, caches: ReadonlyMap<string, PerTensorEncoding>): Promise<CacheDecision> {
  const { segment, executor, resolve, threads, parameters, windows, signal } = request;
  const outputs = attentionOutputs(segment.graph).map(({ name }) => name);
  const options = { resolve, threads, ...(parameters === undefined ? {} : { parameters }) };
  const exact = await executor.open({ ...options, model: withOutputs(segment, outputs) });
  try {
    const coded = await executor.open({ ...options, model: withCodedCaches(withOutputs(segment, outputs), caches) });
    try {
      let [difference, size] = [0, 0];
      for (const index of judgingWindows(windows)) {
        signal.throwIfAborted();
        const feeds = request.feeds(index);
        const [expected, found] = [await exact.run(feeds, outputs), await coded.run(feeds, outputs)];
        for (const name of outputs) {
          const [a, b] = [expected.get(name), found.get(name)] as [Float32Array, Float32Array];
          a.forEach((value, i) => {
            difference += ((b[i] as number) - value) ** 2;
            size += value ** 2;
          });
        }
      }
      const error = size > 0 ? difference / size : 0;
      return { bits: error > LARGEST_CACHE_ERROR ? 16 : 8, error };
    } finally {
      await coded.close();
    }
  } finally {
    await exact.close();
  }
}

/** Products of probabilities and values. */
function attentionOutputs(graph: Graph): Value[] {
  return graph.nodes.filter(({ opType, inputs }) => opType === 'MatMul' && inputs[0]?.producer?.opType === 'Softmax').map((node) => node.output());
}

function withOutputs(segment: Model, names: readonly string[]): Model {
  const model = cloneModel(segment);
  const { graph } = model;
  graph.outputs.push(...names.map((name) => graph.value(name)).filter((value) => !graph.outputs.includes(value)));
  return model;
}

/** What attention reads of new keys and values is what their codes stand for. Written in float: optimizers move quantization nodes. */
function withCodedCaches(model: Model, caches: ReadonlyMap<string, PerTensorEncoding>): Model {
  const { graph } = model;
  for (const [name, { scale, headScales, zeroPoint }] of caches) {
    const cache = graph.value(name);
    const readers = [...cache.uses];
    const scales = headScales === undefined ? floatTensor([scale], []) : floatTensor(headScales, [headScales.length, 1, 1, 1]);
    const add = (opType: string, value: Value, ...constants: InlineTensor[]): Value => {
      const inputs = constants.map((constant, i) => graph.addInitializer(`${name}/${opType}/${i}`, constant));
      const output = graph.addNode({ opType, name: `${name}/${opType}`, inputs: [value, ...inputs], outputs: [`${name}/${opType}`] }).output();
      [output.dtype, output.shape] = [cache.dtype, cache.shape];
      return output;
    };
    const codes = add('Clip', add('Round', add('Div', cache, scales)), floatTensor([-zeroPoint], []), floatTensor([zeroPoint - 1], []));
    const coded = add('Mul', codes, scales);
    for (const { node, index } of readers) node.replaceInput(index, coded);
  }
  return model;
}
