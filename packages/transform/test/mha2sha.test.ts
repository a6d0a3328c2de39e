/** Single heads: the same numbers, the same bytes cut into ranges, names that encodings can follow. */
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { type ExternalTensor, type Graph, type Model, encodeModel, inferShapes } from '@tundish/graph';
import { describe, expect, it } from 'vitest';
import { maxAbs, prefillFeeds } from '../../architectures/test/golden.js';
import { runModel } from '../../architectures/test/ort-session.js';
import { foldNormGains, mhaToSha } from '../src/index.js';
import { type RandomModel, type RandomSizes, SMALL, withModel } from './random-model.js';
import { QUANTIZED_FILE, quantizeProjections } from './quantized-form.js';

const SIZE = { ar: 7, cl: 19 };
const IDS = [3, 1, 4, 1, 5, 9, 2];

/** Runs both forms and compares every output. */
async function expectEqual(random: RandomModel, packed: Model): Promise<void> {
  const { adaptation } = random.adapt(SIZE);
  const feeds = prefillFeeds(random.checkpoint, adaptation, IDS, SIZE.cl - SIZE.ar, 0.5);
  const single = mhaToSha(packed).model;
  const [before, after] = [await runModel(packed, [random.folder], feeds), await runModel(single, [random.folder], feeds)];
  expect(Object.keys(after)).toEqual(Object.keys(before));
  for (const [name, values] of Object.entries(before)) expect(maxAbs(after[name] ?? [], values), name).toBeLessThanOrEqual(1e-5);
}

describe.each([
  ['grouped queries with biases', SMALL],
  ['one KV head a query head', { ...SMALL, heads: 4, kvHeads: 4, attentionBias: false, tied: true }],
  ['one KV head for all', { ...SMALL, heads: 4, kvHeads: 1 }],
])('%s', (_, sizes: RandomSizes) => {
  it('computes the same', () => withModel(sizes, (random) => expectEqual(random, random.adapt(SIZE).model)));

  it('computes the same with norm gains folded in', () => withModel(sizes, (random) => expectEqual(random, foldNormGains(random.adapt(SIZE).model).model)));

  it('computes the same with block-quantized projections', () =>
    withModel({ ...sizes, hidden: 48, layers: 2 }, async (random) => {
      const { model, bytes } = quantizeProjections(random.adapt(SIZE).model);
      await writeFile(join(random.folder, QUANTIZED_FILE), bytes);
      await expectEqual(random, model);
    }));

  it('keeps inputs, outputs and the given model, and has shapes that inference confirms', () =>
    withModel(sizes, (random) => {
      const { model } = random.adapt(SIZE);
      const bytes = encodeModel(model);
      const single = mhaToSha(model).model;
      const border = ({ inputs, outputs }: Graph): unknown => [...inputs, ...outputs].map(({ name, dtype, shape }) => [name, dtype, shape]);
      expect(border(single.graph)).toEqual(border(model.graph));
      expect(Buffer.compare(encodeModel(model), bytes)).toBe(0);
      const shapes = (): unknown => single.graph.values.map(({ name, dtype, shape }) => [name, dtype, shape]);
      const declared = shapes();
      for (const node of single.graph.nodes) for (const output of node.outputs) output.shape = undefined;
      inferShapes(single);
      expect(shapes()).toEqual(declared);
      expect(Buffer.compare(encodeModel(mhaToSha(model).model), encodeModel(mhaToSha(model).model))).toBe(0);
    }));
});

describe('weights', () => {
  it('of a head are the rows of that head in the projection they come from', () =>
    withModel(SMALL, (random) => {
      const { model } = random.adapt(SIZE);
      const single = mhaToSha(model).model;
      for (const [module, heads] of [['q_proj', 6], ['k_proj', 2], ['v_proj', 2]] as const) {
        for (const kind of ['weight', 'bias'] as const) {
          const name = `model.layers.1.self_attn.${module}.${kind}`;
          const whole = model.graph.value(name).tensor as ExternalTensor;
          const pieces = Array.from({ length: heads }, (_, head) => single.graph.value(`${name}_sha_${head}`).tensor as ExternalTensor);
          expect(single.graph.find(name)).toBeUndefined();
          pieces.forEach((piece, head) => {
            expect(piece).toMatchObject({ location: whole.location, dtype: whole.dtype, offset: whole.offset + head * (whole.length / heads), length: whole.length / heads });
            expect(piece.dims[0]).toBe(SMALL.headDim);
          });
        }
      }
      expect(single.graph.value('model.layers.1.self_attn.o_proj.weight').tensor).toEqual(model.graph.value('model.layers.1.self_attn.o_proj.weight').tensor);
    }));

  it('of blocks are cut with their scales, to the byte', () =>
    withModel({ ...SMALL, hidden: 48, layers: 1 }, (random) => {
      const { model } = quantizeProjections(random.adapt(SIZE).model);
      const single = mhaToSha(model).model;
      for (const suffix of ['', '.block_scale', '.channel_scale', '.zero_point']) {
        const whole = model.graph.value(`model.layers.0.self_attn.q_proj.weight${suffix}`).tensor as ExternalTensor;
        const last = single.graph.value(`model.layers.0.self_attn.q_proj.weight${suffix}_sha_5`).tensor as ExternalTensor;
        expect([last.offset, last.length]).toEqual([whole.offset + (5 * whole.length) / 6, whole.length / 6]);
      }
    }));
});

describe('the rename map', () => {
  it('leads from every value that is gone to values that exist, in head order', () =>
    withModel(SMALL, (random) => {
      const { model } = random.adapt(SIZE);
      const { model: single, renames } = mhaToSha(model);
      expect(renames.get('/model/layers.0/self_attn/Softmax_output_0')).toEqual([0, 1, 2, 3, 4, 5].map((head) => `/model/layers.0/self_attn/Softmax_output_0_sha_${head}`));
      expect(renames.get('past_key_0_out')).toEqual(['past_key_0_out', 'past_key_0_out_sha_0', 'past_key_0_out_sha_1']);
      expect(renames.get('past_key_0_in')).toEqual(['past_key_0_in', 'past_key_0_in_sha_0', 'past_key_0_in_sha_1']);
      for (const [old, names] of renames) {
        expect(model.graph.find(old), old).toBeDefined();
        for (const name of names) expect(single.graph.find(name), name).toBeDefined();
      }
      const reshapes = model.graph.nodes.filter(({ opType }) => opType === 'Reshape').map((node) => node.output().name);
      const gone = model.graph.values.filter(({ name }) => single.graph.find(name) === undefined && !renames.has(name) && !reshapes.includes(name));
      expect(gone.map(({ name }) => name)).toEqual(['query_heads', 'key_value_heads']);
    }));

  it('shares keys, values, tables and the mask among query heads instead of copying them', () =>
    withModel(SMALL, (random) => {
      const { model } = random.adapt(SIZE);
      const { graph } = mhaToSha(model).model;
      const count = (of: Graph, opType: string): number => of.nodes.filter((node) => node.opType === opType).length;
      const { layers, heads, kvHeads } = SMALL;
      expect(count(graph, 'Softmax')).toBe(layers * heads);
      expect(count(graph, 'Unsqueeze')).toBe(layers * (heads + 2 * kvHeads));
      // q, k, v, scores and context a head; o, gate, up and down whole; the head.
      expect(count(graph, 'MatMul')).toBe(layers * (3 * heads + 2 * kvHeads + 4) + 1);
      const readers = graph.value('/model/layers.0/self_attn/Concat_2_output_0_sha_1').consumers.length;
      expect(readers).toBe(heads / kvHeads);
    }));
});

describe('a graph that is not understood', () => {
  it('is refused where heads are mixed', () =>
    withModel({ ...SMALL, layers: 1 }, (random) => {
      const { model } = random.adapt(SIZE);
      const softmax = model.graph.nodes.find(({ opType }) => opType === 'Softmax');
      softmax?.attributes.set('axis', { type: 'int', value: 1 });
      expect(() => mhaToSha(model)).toThrow(expect.objectContaining({ code: 'SHA_PATTERN', what: expect.stringContaining('Softmax') as string }) as Error);
    }));

  it('is refused without attention', () =>
    withModel({ ...SMALL, layers: 1 }, (random) => {
      const { model } = random.adapt(SIZE);
      model.graph.outputs.splice(0, model.graph.outputs.length, model.graph.value('/model/embed_tokens/Gather_output_0'));
      model.graph.prune();
      expect(() => mhaToSha(model)).toThrow(expect.objectContaining({ code: 'SHA_NO_ATTENTION' }) as Error);
    }));
});
