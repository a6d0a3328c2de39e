/** Folding of norm gains: the same function, unit gains, and no norm touched that something else reads. */
import { encodeModel } from '@tundish/graph';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { maxAbs, prefillFeeds } from '../../architectures/test/golden.js';
import { runModel } from '../../architectures/test/ort-session.js';
import { foldNormGains } from '../src/index.js';
import { type RandomModel, SMALL, randomModel } from './random-model.js';

const SIZE = { ar: 7, cl: 19 };
let random: RandomModel;

beforeAll(async () => {
  random = await randomModel({ ...SMALL, tied: true });
});
afterAll(() => random.remove());

it('computes the same, with every gain in the projections behind its norm', async () => {
  const { model, adaptation } = random.adapt(SIZE);
  const bytes = encodeModel(model);
  const { model: folded, folded: names, kept } = foldNormGains(model);
  expect([names.length, kept]).toEqual([2 * SMALL.layers + 1, []]);
  expect(Buffer.compare(encodeModel(model), bytes)).toBe(0);
  const feeds = prefillFeeds(random.checkpoint, adaptation, [3, 1, 4, 1, 5, 9, 2], SIZE.cl - SIZE.ar);
  const [before, after] = [await runModel(model, [random.folder], feeds), await runModel(folded, [random.folder], feeds)];
  for (const [name, values] of Object.entries(before)) expect(maxAbs(after[name] ?? [], values), name).toBeLessThanOrEqual(1e-5);
  const gains = folded.graph.nodes.filter(({ opType }) => opType === 'RMSNormalization').map((node) => node.input(1).tensor);
  for (const gain of gains) expect(gain?.kind === 'inline' && [...new Float32Array(gain.data.slice().buffer)].every((value) => value === 1)).toBe(true);
});

it('leaves the embedding table alone when the head that shares it takes a gain', () => {
  const { graph } = foldNormGains(random.adapt(SIZE).model).model;
  const gather = graph.value('/model/embed_tokens/Gather_output_0').producer;
  expect(gather?.input(0).name).toBe('model.embed_tokens.weight');
  expect(graph.value('logits').producer?.input(1).producer?.input(0).producer?.opType).toBe('Mul');
});

it('keeps the gain of a norm whose output leaves the graph', () => {
  const { model, adaptation } = random.adapt(SIZE);
  model.graph.outputs.push(model.graph.value(adaptation.finalNorm));
  const { folded, kept } = foldNormGains(model);
  expect(kept).toEqual(['/model/norm/RMSNormalization']);
  expect(folded).toHaveLength(2 * SMALL.layers);
});
