/** AR/CL conversion: the same bytes as a direct build, the same numbers, and no guess when a base is ambiguous. */
import { DataType, Graph, type Model, type Value, encodeModel, inferShapes, int64Tensor } from '@tundish/graph';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxAbs, prefillFeeds } from '../../architectures/test/golden.js';
import { runModel } from '../../architectures/test/ort-session.js';
import { convertArCl, findCollisions } from '../src/index.js';
import { type RandomSizes, SMALL, withModel } from './random-model.js';

const randomSizes = fc
  .record({
    layers: fc.integer({ min: 1, max: 3 }),
    kvHeads: fc.integer({ min: 1, max: 3 }),
    members: fc.integer({ min: 1, max: 4 }),
    headDim: fc.constantFrom(2, 6, 16, 32),
    hidden: fc.integer({ min: 2, max: 70 }),
    ffn: fc.integer({ min: 2, max: 90 }),
    vocab: fc.integer({ min: 8, max: 99 }),
    tied: fc.boolean(),
    attentionBias: fc.boolean(),
    mlpBias: fc.boolean(),
  })
  .map(({ members, ...sizes }): RandomSizes => ({ ...sizes, heads: sizes.kvHeads * members }));
const randomTarget = fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 5000 })).map(([ar, past]) => ({ ar, cl: ar + past }));

describe('conversion', () => {
  it('gives the bytes of a direct build, at any sizes of the model and any AR and CL', async () => {
    await fc.assert(
      fc.asyncProperty(randomSizes, fc.array(randomTarget, { minLength: 1, maxLength: 4 }), (sizes, targets) =>
        withModel(sizes, ({ base, adapt }) => {
          const built = adapt(base).model;
          const before = encodeModel(built);
          for (const target of targets) {
            const converted = encodeModel(convertArCl(built, base, target));
            expect(Buffer.compare(converted, encodeModel(adapt(target).model))).toBe(0);
          }
          expect(Buffer.compare(encodeModel(built), before)).toBe(0);
        }),
      ),
      { seed: 11, numRuns: 25 },
    );
  });

  it('computes what the base graph computes on the tokens that both see', async () => {
    await withModel(SMALL, async ({ folder, checkpoint, adapt }) => {
      const base = { ar: 73, cl: 173 };
      const { model, adaptation } = adapt(base);
      const ids = Array.from({ length: base.ar }, (_, i) => (7 * i) % SMALL.vocab);
      const whole = await runModel(model, [folder], prefillFeeds(checkpoint, adaptation, ids, base.cl - base.ar));
      for (const target of [{ ar: 1, cl: 9 }, { ar: 8, cl: 64 }, { ar: 33, cl: 34 }]) {
        const part = await runModel(convertArCl(model, base, target), [folder], prefillFeeds(checkpoint, adaptation, ids.slice(0, target.ar), target.cl - target.ar));
        expect(maxAbs(part['logits'] ?? [], whole['logits']?.subarray(0, target.ar * SMALL.vocab) ?? [])).toBeLessThanOrEqual(1e-5);
      }
    });
  });
});

describe('refusal', () => {
  const TEXTBOOK: RandomSizes = { ...SMALL, layers: 1, heads: 4, kvHeads: 2, headDim: 16, hidden: 64, ffn: 128, vocab: 97 };

  it.each([
    [{ ar: 32, cl: 96 }, 'model.norm.weight is 64, as is CL-AR'],
    [{ ar: 16, cl: 128 }, 'axis 2 of past_key_0_in is 16, as is AR'],
    [{ ar: 33, cl: 66 }, 'AR and CL-AR are both 33'],
    [{ ar: 2, cl: 4175 }, 'the constant query_heads [2, 2, 2, 16] holds AR 2 more than once'],
    [{ ar: 31, cl: 4175 }, undefined],
    [{ ar: 49, cl: 97 }, 'axis 2 of logits is 97, as is CL'],
  ])('of base %o', async (base, place) => {
    await withModel(TEXTBOOK, ({ adapt }) => {
      const { model } = adapt(base);
      const places = findCollisions(model.graph, base);
      expect(places).toEqual(place === undefined ? [] : expect.arrayContaining([expect.stringContaining(place)]));
      const convert = (): unknown => convertArCl(model, base, { ar: 1, cl: 64 });
      if (place === undefined) expect(convert).not.toThrow();
      else expect(convert).toThrow(expect.objectContaining({ code: 'ARCL_BASE_COLLIDES' }) as Error);
    });
  });

  it('of a base that is a size which only an operator knows', () => {
    // The Slice keeps 5 of 7 columns; a CL-AR of 5 would make it keep them all, and no shape would contradict that.
    const graph = new Graph('sliced');
    const hidden = graph.addInput('hidden', DataType.FLOAT, [1, 4, 7]);
    const constant = (name: string, value: number): Value => graph.addInitializer(name, int64Tensor([value]));
    const kept = graph.addNode({ opType: 'Slice', inputs: [hidden, constant('from', 0), constant('to', 5), constant('axis', 2)] }).output();
    const mean = graph.addNode({ opType: 'ReduceMean', inputs: [kept, graph.value('axis')], outputs: ['mean'], attributes: { keepdims: { type: 'int', value: 1 } } });
    graph.outputs.push(mean.output());
    const model: Model = { irVersion: 11, opsetImports: new Map([['', 23]]), producerName: 'test', metadata: new Map(), graph };
    inferShapes(model);
    expect(findCollisions(graph, { ar: 4, cl: 9 })).toEqual([]);
    const convert = (): unknown => convertArCl(model, { ar: 4, cl: 9 }, { ar: 1, cl: 64 });
    expect(convert).toThrow(expect.objectContaining({ code: 'ARCL_BASE_COLLIDES', why: expect.stringContaining('Slice_output_0') as string }) as Error);
    expect(convertArCl(model, { ar: 4, cl: 13 }, { ar: 1, cl: 64 }).graph.value('mean').shape).toEqual([1, 1, 1]);
  });

  it('of a graph that is not at the stated base, and of impossible sizes', async () => {
    await withModel(SMALL, ({ base, adapt }) => {
      const { model } = adapt(base);
      expect(() => convertArCl(model, { ar: base.ar, cl: base.cl + 2 }, { ar: 1, cl: 8 })).toThrow(expect.objectContaining({ code: 'ARCL_BASE_MISMATCH' }) as Error);
      for (const target of [{ ar: 0, cl: 8 }, { ar: 8, cl: 8 }, { ar: 1.5, cl: 8 }]) {
        expect(() => convertArCl(model, base, target)).toThrow(expect.objectContaining({ code: 'ARCL_SIZE_INVALID' }) as Error);
      }
    });
  });
});
