/** The sampler against a naive one, its order of operations, and its distribution. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { topCandidates } from '../src/candidates.js';
import { randomStream } from '../src/random.js';
import { GREEDY, Sampler } from '../src/sampler.js';

const logitsOf = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 40 }).map((values) => Float32Array.from(values, (v) => Math.fround(Math.trunc(v * 4) / 4)));

function naiveCandidates(scores: Float32Array, temperature: number, topK: number, topP: number): number[] {
  const ids = [...scores.keys()].sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b).slice(0, topK === 0 ? undefined : topK);
  const weights = ids.map((id) => Math.exp(((scores[id] as number) - (scores[ids[0] as number] as number)) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  // A margin keeps rows out where the last bit of a sum decides.
  if (topP < 1 && weights.some((_, i) => Math.abs(weights.slice(0, i + 1).reduce((a, b) => a + b, 0) - topP * total) < 1e-9 * total)) fc.pre(false);
  return ids.filter((_, i) => {
    const before = sum;
    sum += weights[i] as number;
    return topP === 1 || before < topP * total;
  });
}

describe('topCandidates', () => {
  it('equals sorting everything', () => {
    const topP = fc.constantFrom(1, 0.95, 0.5, 0.1, 0.999);
    fc.assert(fc.property(logitsOf, fc.double({ min: 0.1, max: 3, noNaN: true }), fc.integer({ min: 0, max: 45 }), topP, (scores, temperature, topK, p) => {
      const best = scores.indexOf(Math.max(...scores));
      const found = [...topCandidates(scores, { best, temperature, topK, topP: p })];
      const expected = naiveCandidates(scores, temperature, topK, p);
      expect(p === 1 ? found.sort((a, b) => a - b) : found).toEqual(p === 1 ? expected.sort((a, b) => a - b) : expected);
    }), { numRuns: 500 });
  });
});

describe('Sampler', () => {
  it('is greedy at temperature 0, and of equal logits takes the smallest id', () => {
    expect(new Sampler(GREEDY).next(Float32Array.of(1, 3, 3, -Infinity), [])).toBe(1);
  });

  it('draws with the probabilities of the softmax', () => {
    const sampler = new Sampler({ ...GREEDY, temperature: 2, seed: 11 });
    const logits = Float32Array.of(0, 2, 4, -Infinity);
    const draws = 20000;
    const drawn = Array.from({ length: draws }, () => sampler.next(logits, []));
    const counts = [0, 1, 2, 3].map((id) => drawn.filter((other) => other === id).length);
    const z = 1 + Math.E + Math.E ** 2;
    // Three standard deviations of a proportion are at most 0.0107.
    for (const [i, p] of [1 / z, Math.E / z, Math.E ** 2 / z].entries()) expect(Math.abs((counts[i] as number) / draws - p)).toBeLessThan(0.0107);
    expect(counts[3]).toBe(0);
  });

  it('applies penalties before the temperature, over the window only', () => {
    const logits = Float32Array.of(4, 3, -1, -1.5);
    const greedy = (options: Partial<typeof GREEDY>, history: number[], row = logits): number => new Sampler({ ...GREEDY, ...options }).next(row, history);
    expect(greedy({ repetitionPenalty: 2 }, [0])).toBe(1);
    expect(greedy({ repetitionPenalty: 2 }, [2], Float32Array.of(-9, -9, -1, -1.5))).toBe(3);
    expect(greedy({ presencePenalty: 0.9 }, [0, 0])).toBe(0);
    expect(greedy({ frequencyPenalty: 0.6 }, [0, 0])).toBe(1);
    expect(greedy({ frequencyPenalty: 0.6, penaltyWindow: 1 }, [0, 0])).toBe(0);
    expect([...logits]).toEqual([4, 3, -1, -1.5]);
  });

  it('repeats itself for a seed and differs for another', () => {
    const logits = new Float32Array(64);
    const draw = (seed: number): number[] => {
      const sampler = new Sampler({ ...GREEDY, temperature: 1, seed });
      return Array.from({ length: 20 }, () => sampler.next(logits, []));
    };
    expect(draw(5)).toEqual(draw(5));
    expect(new Set([5, 6, 5 + 2 ** 32, 5 + 2 ** 40].map((seed) => draw(seed).join())).size).toBe(4);
  });

  it('refuses logits without a choice and options out of range', () => {
    for (const row of [[NaN, 1], [1, Infinity], [-Infinity, -Infinity]]) expect(() => new Sampler(GREEDY).next(Float32Array.from(row), [])).toThrow(/RUNTIME_LOGITS_NOT_FINITE/);
    for (const options of [{ temperature: -1 }, { topK: 1.5 }, { topP: 0 }, { topP: 1.1 }, { seed: -1 }, { repetitionPenalty: 0 }, { penaltyWindow: -1 }]) {
      expect(() => new Sampler({ ...GREEDY, ...options })).toThrow(/RUNTIME_OPTION_INVALID/);
    }
  });
});

describe('randomStream', () => {
  it('is the same on every machine', () => {
    const stream = randomStream(42);
    expect([stream.next(), stream.next(), stream.next()]).toMatchInlineSnapshot(`
      [
        0.6606157208001621,
        0.1117019639532224,
        0.0791056456144914,
      ]
    `);
  });
});
