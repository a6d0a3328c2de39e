/** Splitting: layers are found without names, parts are balanced, and the chain of parts is the whole bit for bit. */
import { DataType, Graph, type Model, encodeModel } from '@tundish/graph';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prefillFeeds } from '../../architectures/test/golden.js';
import { type Feeds, runModel } from '../../architectures/test/ort-session.js';
import { type PartWeights, findLayers, measureWeights, mhaToSha, planParts, splitModel } from '../src/index.js';
import { type RandomModel, SMALL, randomModel } from './random-model.js';

const LAYERS = 5;
const SIZE = { ar: 7, cl: 19 };
let random: RandomModel;

beforeAll(async () => {
  random = await randomModel({ ...SMALL, layers: LAYERS });
});
afterAll(() => random.remove());

describe('the layers of a graph', () => {
  it.each(['packed heads', 'single heads'])('are found with %s', (form) => {
    const { model, adaptation } = random.adapt(SIZE);
    const layers = findLayers(form === 'packed heads' ? model : mhaToSha(model).model);
    expect(layers.map(({ index, input, output }) => [index, input.name, output.name])).toEqual(
      adaptation.layers.map(({ index, hiddenIn, hiddenOut }) => [index, hiddenIn, hiddenOut]),
    );
  });

  it('are found inside a part, with their global numbers', () => {
    const part = splitModel(random.adapt(SIZE).model, 2, 2);
    expect(findLayers(part).map(({ index }) => index)).toEqual([3, 4]);
  });

  it('do not exist in a graph without a cache', () => {
    const graph = new Graph('adder');
    const hidden = graph.addInput('hidden', DataType.FLOAT, [1, 4, 8]);
    graph.outputs.push(graph.addNode({ opType: 'Add', inputs: [hidden, graph.addNode({ opType: 'Sigmoid', inputs: [hidden] }).output()] }).output());
    const model: Model = { irVersion: 11, opsetImports: new Map([['', 23]]), producerName: 'test', metadata: new Map(), graph };
    expect(() => findLayers(model)).toThrow(expect.objectContaining({ code: 'SPLIT_NO_STREAM' }) as Error);
  });
});

describe('a plan', () => {
  const sizes = (count: number, parts: number): number[] => planParts(count, parts).map(({ from, to }) => to - from);

  it('spreads equal layers evenly, the front taking more', () => {
    expect([sizes(16, 2), sizes(28, 2), sizes(32, 4), sizes(9, 4), sizes(7, 4), sizes(3, 3), sizes(5, 1)]).toEqual([
      [8, 8], [14, 14], [8, 8, 8, 8], [3, 2, 2, 2], [2, 2, 2, 1], [1, 1, 1], [5],
    ]);
  });

  it('gives parts with the embedding and the head fewer layers', () => {
    expect(planParts(8, 3, { embedding: 3, layers: Array<number>(8).fill(1), head: 0 }).map(({ from, to }) => to - from)).toEqual([1, 4, 3]);
    // Llama 3.2 1B: a tied head at the end is as large as nine layers, which no reason is to fill another part.
    expect(planParts(16, 6, { embedding: 525, layers: Array<number>(16).fill(32), head: 263 }).map(({ from, to }) => to - from)).toEqual([1, 4, 4, 3, 3, 1]);
  });

  it('has the smallest largest part of all plans', () => {
    const bytes = fc.integer({ min: 0, max: 50 });
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1, maxLength: 8 }), bytes, bytes, fc.integer({ min: 1, max: 8 }), (layers, embedding, head, wanted) => {
        const parts = Math.min(wanted, layers.length);
        const weights = { embedding, layers, head };
        const plan = planParts(layers.length, parts, weights);
        expect(plan.map(({ from }) => from)).toEqual([0, ...plan.slice(0, -1).map(({ to }) => to)]);
        expect(plan.at(-1)?.to).toBe(layers.length);
        expect(plan.every(({ from, to }) => to > from)).toBe(true);
        expect(largest(plan.map(({ to }) => to), weights)).toBe(Math.min(...cuts(layers.length, parts).map((ends) => largest(ends, weights))));
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  it('takes fractions as estimates have them', () => {
    const fraction = fc.double({ min: 0, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(fc.array(fraction, { minLength: 1, maxLength: 20 }), fraction, fraction, fc.integer({ min: 1, max: 20 }), (layers, embedding, head, wanted) => {
        const parts = Math.min(wanted, layers.length);
        const plan = planParts(layers.length, parts, { embedding, layers, head });
        expect(plan).toHaveLength(parts);
        expect(plan.at(-1)?.to).toBe(layers.length);
        expect(plan.every(({ from, to }, i) => to > from && from === (plan[i - 1]?.to ?? 0))).toBe(true);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it.each([[3, 4], [3, 0], [3, 1.5]])('of %s layers in %s parts is refused', (layers, parts) => {
    expect(() => planParts(layers, parts)).toThrow(expect.objectContaining({ code: 'SPLIT_PARTS_INVALID' }) as Error);
  });

  it('weighs what the graph reads', () => {
    const { model } = random.adapt(SIZE);
    const { embedding, layers, head } = measureWeights(model, findLayers(model));
    const { hidden, vocab } = SMALL;
    expect(embedding).toBe(4 * vocab * hidden);
    expect(head).toBe(4 * (vocab * hidden + hidden));
    expect(new Set(layers).size).toBe(1);
    // The small constants (shapes, scale) are in every layer; the rest is the checkpoint's.
    const weights = [...random.checkpoint.tensors.values()].filter(({ name }) => name.startsWith('model.layers.0.')).reduce((sum, { length }) => sum + length, 0);
    expect((layers[0] ?? 0) - weights).toBeGreaterThan(0);
    expect((layers[0] ?? 0) - weights).toBeLessThan(256);
  });
});

describe.each([1, 2, 3, 5])('%s parts', (parts) => {
  it('in a chain are the whole, bit for bit', async () => {
    const { model, adaptation } = random.adapt(SIZE);
    const ids = [3, 1, 4, 1, 5, 9, 2];
    const feeds = prefillFeeds(random.checkpoint, adaptation, ids, SIZE.cl - SIZE.ar);
    const whole = await runModel(model, [random.folder], feeds);
    const chained: Record<string, Float32Array> = {};
    let state: Feeds = {};
    for (let part = 1; part <= parts; part++) {
      const cut = splitModel(model, part, parts);
      const results = await runModel(cut, [random.folder], { ...feeds, ...state });
      Object.assign(chained, results);
      const [boundary] = cut.graph.outputs;
      state = { [boundary?.name ?? '']: { dims: [1, SIZE.ar, SMALL.hidden], data: results[boundary?.name ?? ''] ?? new Float32Array(0) } };
    }
    for (const [name, values] of Object.entries(whole)) expect(chained[name], name).toEqual(values);
  });

  it('read the state first and only what they need, and are the same bytes every time', () => {
    const { model, adaptation } = random.adapt(SIZE);
    const before = encodeModel(model);
    for (let part = 1; part <= parts; part++) {
      const { graph } = splitModel(model, part, parts);
      const own = findLayers(splitModel(model, part, parts)).map(({ index }) => index);
      const entry = part === 1 ? 'input_ids' : adaptation.layers[own[0] ?? 0]?.hiddenIn;
      const exit = part === parts ? 'logits' : adaptation.layers[own.at(-1) ?? 0]?.hiddenOut;
      expect(graph.inputs.map(({ name }) => name)).toEqual([entry, 'attention_mask', 'position_ids_cos', 'position_ids_sin', ...own.flatMap((i) => [`past_key_${i}_in`, `past_value_${i}_in`])]);
      expect(graph.outputs.map(({ name }) => name)).toEqual([exit, ...own.flatMap((i) => [`past_key_${i}_out`, `past_value_${i}_out`])]);
      expect(Buffer.compare(encodeModel(splitModel(model, part, parts)), encodeModel(splitModel(model, part, parts)))).toBe(0);
    }
    expect(Buffer.compare(encodeModel(model), before)).toBe(0);
  });
});

it.each([[0, 2], [3, 2], [1, 6]])('part %s of %s is refused', (part, parts) => {
  expect(() => splitModel(random.adapt(SIZE).model, part, parts)).toThrow(expect.objectContaining({ code: 'SPLIT_PARTS_INVALID' }) as Error);
});

/** Ends of all ways to cut `count` layers into `parts` runs. */
function cuts(count: number, parts: number, from = 0): number[][] {
  if (parts === 1) return [[count]];
  return Array.from({ length: count - from - parts + 1 }, (_, i) => from + i + 1).flatMap((end) => cuts(count, parts - 1, end).map((rest) => [end, ...rest]));
}

function largest(ends: readonly number[], { embedding, layers, head }: PartWeights): number {
  const bytes = ends.map((end, i) => layers.slice(ends[i - 1] ?? 0, end).reduce((sum, size) => sum + size, 0));
  return Math.max(...bytes.map((size, i) => size + (i === 0 ? embedding : 0) + (i === ends.length - 1 ? head : 0)));
}
