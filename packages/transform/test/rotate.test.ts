/** Rotations keep the function, of graphs in float64 and in ONNX Runtime, and refuse graphs whose function they would change. */
import { fileURLToPath } from 'node:url';
import { type Adapted, architectureFor } from '@tundish/architectures';
import { type Checkpoint, openCheckpoint } from '@tundish/checkpoint';
import { type Model, decodeModel, encodeModel, inferShapes, rotationOf } from '@tundish/graph';
import { hostReference } from '@tundish/toolchain-host';
import { describe, expect, it } from 'vitest';
import { prefillFeeds } from '../../architectures/test/golden.js';
import type { Feeds } from '../../architectures/test/ort-session.js';
import { type Rotations, convertArCl, foldNormGains, mhaToSha, rotate } from '../src/index.js';
import { runFloat64 } from './float64-graph.js';
import { type RandomSizes, SMALL, withModel } from './random-model.js';

const NONE: Rotations = { r1: false, r2: false, r3: false };
const ALL: Rotations = { r1: true, r2: true, r3: true };
const KINDS: readonly [string, Rotations][] = [['R1', { ...NONE, r1: true }], ['R1 and R2', { r1: true, r2: true, r3: false }], ['R2', { ...NONE, r2: true }], ['R3', { ...NONE, r3: true }], ['R1, R2 and R3', ALL]];

const SIZE = { ar: 5, cl: 8 };
const TOKENS = [3, 1, 4, 1, 5];

/** Core of 20 for the stream, of 12 for the heads; tied, with biases everywhere. */
const TIED: RandomSizes = { ...SMALL, layers: 2, headDim: 12, tied: true, embeddingMean: 2 };

const rotated = (model: Model, rotations: Rotations): Model => rotate(foldNormGains(model).model, rotations).model;

/** Largest difference relative to the largest value. */
function distance(actual: ArrayLike<number> | undefined, expected: ArrayLike<number>): number {
  let [error, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual?.[i] ?? NaN) - (expected[i] as number));
    if (!(difference <= error)) error = difference;
    size = Math.max(size, Math.abs(expected[i] as number));
  }
  return error / size;
}

async function runHost(model: Model, folder: string, feeds: Feeds): Promise<Float32Array> {
  const opened = await hostReference().open({ model, resolve: (location) => `${folder}/${location}`, threads: 1 });
  try {
    return (await opened.run(new Map(Object.entries(feeds).map(([name, { data }]) => [name, data])), ['logits'])).get('logits') as Float32Array;
  } finally {
    await opened.close();
  }
}

interface Opened extends Adapted {
  readonly folder: string;
  readonly checkpoint: Checkpoint;
}

async function open(relative: string): Promise<Opened> {
  const folder = fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
  const checkpoint = await openCheckpoint(folder, { knownModelTypes: ['llama'] });
  return { folder, checkpoint, ...architectureFor('llama').adapt(checkpoint, { baseAr: SIZE.ar, baseCl: SIZE.cl }) };
}

/** Biases; hidden 192 with heads of 64; no grouped queries. */
const GOLDEN = ['llama-bias-fp32', 'llama-headdim-bf16', 'llama-mha-fp32'].map((name) => `test/fixtures/golden/${name}`);
const BUNDLED = 'models/llama32/checkpoint';

describe('the function', () => {
  it.each(KINDS)('with %s is the same to 1e-10 in float64', async (_, rotations) => {
    const { model, adaptation, folder, checkpoint } = await open(GOLDEN[0] as string);
    const feeds = prefillFeeds(checkpoint, adaptation, TOKENS, SIZE.cl - SIZE.ar, 0.5);
    const [before, after] = [model, rotated(model, rotations)].map(({ graph }) => runFloat64(graph, folder, feeds)) as [Record<string, Float64Array>, Record<string, Float64Array>];
    expect(distance(after['logits'], before['logits'] as Float64Array)).toBeLessThan(1e-10);
    // What enters the cache is rotated where it should be, and only there.
    for (const [name, moves] of [['past_key_1_out', rotations.r3], ['past_value_1_out', rotations.r2]] as const) {
      expect(distance(after[name], before[name] as Float64Array) > 1e-3, name).toBe(moves);
    }
  });

  it('of a tied model with a mean in its embedding and cores that are no powers of two is the same to 1e-10 in float64', () => withModel(TIED, ({ adapt, checkpoint, folder }) => {
    const { model, adaptation } = adapt(SIZE);
    const feeds = prefillFeeds(checkpoint, adaptation, TOKENS, SIZE.cl - SIZE.ar);
    const [before, after] = [model, rotated(model, { ...ALL, r3: false })].map(({ graph }) => runFloat64(graph, folder, feeds)['logits']) as [Float64Array, Float64Array];
    expect(distance(after, before)).toBeLessThan(1e-10);
  }));

  it.each([...GOLDEN, BUNDLED])('of %s is the same to 2e-5 in ONNX Runtime', async (path) => {
    const { model, adaptation, folder, checkpoint } = await open(path);
    const feeds = prefillFeeds(checkpoint, adaptation, TOKENS, SIZE.cl - SIZE.ar);
    const before = await runHost(model, folder, feeds);
    for (const [name, rotations] of path === BUNDLED ? KINDS : KINDS.slice(-1)) expect(distance(await runHost(rotated(model, rotations), folder, feeds), before), name).toBeLessThan(2e-5);
  });

  it('is the same with single heads, and in another AR and CL', () => withModel({ ...TIED, headDim: 8, tied: false }, async ({ adapt, checkpoint, folder, base }) => {
    const { model, adaptation } = adapt(base);
    const feeds = prefillFeeds(checkpoint, adaptation, TOKENS, SIZE.cl - SIZE.ar);
    const [before, after] = [model, mhaToSha(convertArCl(rotated(model, ALL), base, SIZE)).model];
    expect(distance(await runHost(after, folder, feeds), await runHost(convertArCl(before, base, SIZE), folder, feeds))).toBeLessThan(2e-5);
  }));
});

describe('the graph', () => {
  it('refers to the same weights, is written and read again, and has the shapes that are inferred', async () => {
    const { model } = await open(GOLDEN[1] as string);
    const bytes = encodeModel(model);
    const result = rotate(foldNormGains(model).model, ALL);
    expect(Buffer.compare(encodeModel(model), bytes)).toBe(0);
    expect(result).toMatchObject({ hidden: 192, attentions: 1 });
    const external = ({ graph }: Model): string[] => graph.initializers.flatMap(({ name, tensor }) => (tensor?.kind === 'external' ? [`${name} ${tensor.offset} ${tensor.length}`] : [])).sort();
    expect(external(result.model)).toEqual(external(model));
    const again = decodeModel(encodeModel(result.model));
    expect(() => inferShapes(again)).not.toThrow();
    const turns = again.graph.nodes.flatMap((node) => rotationOf(node) ?? []);
    // Embedding, head, seven layers of a block, and two more for its values.
    expect(turns.map(({ axis, size }) => `${axis} ${size}`).sort()).toEqual(['0 192', '0 192', '0 64', ...Array<string>(7).fill('1 192'), '1 64']);
  });

  it('imports no operators of ours without rotations of weights', async () => {
    const { model } = await open(GOLDEN[0] as string);
    expect([...rotate(model, { ...NONE, r3: true }).model.opsetImports]).toEqual([...model.opsetImports]);
  });
});

describe('what is refused', () => {
  const refusal = (code: string, message: RegExp): unknown => expect.objectContaining({ code, message: expect.stringMatching(message) });

  it.each<[string, string, RegExp, (adapted: Adapted) => void, Rotations]>([
    ['a norm that keeps its gain', 'ROTATE_GAIN', /has a gain of its own/, ({ model }) => void model, { ...NONE, r1: true }],
    ['a stream that leaves the graph', 'ROTATE_STREAM', /leaves the graph/, ({ model: { graph }, adaptation }) => graph.outputs.push(graph.value(adaptation.embedding)), { ...NONE, r1: true }],
    ['something else that reads the stream', 'ROTATE_STREAM', /Sigmoid .* reads the residual stream/, ({ model: { graph }, adaptation }) => graph.outputs.push(graph.addNode({ opType: 'Sigmoid', inputs: [graph.value(adaptation.embedding)] }).output()), { ...NONE, r1: true }],
    ['something else that is added to it', 'ROTATE_STREAM', /adds .* to the residual stream/, ({ model: { graph }, adaptation }) => {
      const stream = graph.value(adaptation.layers[0]?.hiddenOut as string);
      stream.producer?.replaceInput(1, graph.addNode({ opType: 'Sigmoid', inputs: [stream.producer.input(1)] }).output());
    }, { ...NONE, r1: true }],
    ['no attention', 'ROTATE_ATTENTION', /holds no Softmax/, ({ model: { graph } }) => {
      for (const node of graph.nodes) if (node.opType === 'Softmax') graph.replaceProducer(node.output(), { opType: 'Sigmoid', inputs: [node.input(0)] });
    }, { ...NONE, r2: true }],
    ['values that something else reads', 'ROTATE_ATTENTION', /not between two linear layers/, ({ model: { graph } }) => {
      const projection = graph.nodes.find(({ name }) => name.includes('v_proj/Add'));
      graph.outputs.push(graph.addNode({ opType: 'Sigmoid', inputs: [projection?.output()] }).output());
    }, { ...NONE, r2: true }],
  ])('%s', async (_, code, message, change, rotations) => {
    const adapted = await open(GOLDEN[0] as string);
    const model = code === 'ROTATE_GAIN' ? adapted.model : foldNormGains(adapted.model).model;
    change({ ...adapted, model });
    expect(() => rotate(model, rotations)).toThrow(refusal(code, message) as Error);
  });

  it('a size without a Hadamard matrix, by name', () => withModel({ ...SMALL, hidden: 52 }, ({ adapt }) => {
    expect(() => rotated(adapt(SIZE).model, { ...NONE, r1: true })).toThrow(refusal('GRAPH_HADAMARD', /of size 52/) as Error);
  }));
});
