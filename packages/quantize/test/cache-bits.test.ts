/** Which layers get a cache of 16 bits, and what the windows that decide are. */
import { silentReporter } from '@tundish/diagnostics';
import { DataType, Graph, type Model, type Value } from '@tundish/graph';
import { hostReference } from '@tundish/toolchain-host';
import { expect, test } from 'vitest';
import { LARGEST_CACHE_ERROR, type CacheDecision, decideCacheBits } from '../src/calibration/cache-bits.js';
import { cacheEncodings } from '../src/calibration/cache-encodings.js';
import { observeSegment } from '../src/calibration/observe.js';

const [HEADS, TOKENS, WIDTH] = [2, 6, 8];

/** Attention of two heads over new keys and values alone. */
function attention(): Model {
  const graph = new Graph('attention');
  const typed = (value: Value, ...shape: number[]): Value => Object.assign(value, { dtype: DataType.FLOAT, shape });
  const [q, k, v] = ['q', 'k', 'v'].map((name) => graph.addInput(name, DataType.FLOAT, [HEADS, 1, TOKENS, WIDTH])) as [Value, Value, Value];
  const add = (opType: string, output: string, inputs: Value[], shape: number[], attributes = {}): Value => typed(graph.addNode({ opType, name: `/${output}`, inputs, outputs: [output], attributes }).output(), ...shape);
  const keys = add('Transpose', 'past_key_0_out', [k], [HEADS, 1, WIDTH, TOKENS], { perm: { type: 'ints', value: [0, 1, 3, 2] } });
  const values = add('Identity', 'past_value_0_out', [v], [HEADS, 1, TOKENS, WIDTH]);
  const scores = add('MatMul', 'scores', [q, keys], [HEADS, 1, TOKENS, TOKENS]);
  const weights = add('Softmax', 'weights', [scores], [HEADS, 1, TOKENS, TOKENS]);
  graph.outputs.push(add('MatMul', 'context', [weights, values], [HEADS, 1, TOKENS, WIDTH]));
  return { irVersion: 11, opsetImports: new Map([['', 23]]), producerName: 'test', metadata: new Map(), graph };
}

/** Window `index`; channel 0 of the keys of head 0 is loud in the windows of `loud`, and no query looks at it. */
function feeds(index: number, loud: (index: number) => boolean): Map<string, Float32Array> {
  const data = (seed: number): Float32Array => Float32Array.from({ length: HEADS * TOKENS * WIDTH }, (_, i) => Math.sin((i + 1) * 12.9898 + seed * 78.233 + index));
  const [q, k, v] = [data(1), data(2), data(3)];
  for (let t = 0; t < TOKENS; t++) {
    q[t * WIDTH] = 0;
    if (loud(index)) k[t * WIDTH] = 400 * (t % 2 === 0 ? 1 : -1);
  }
  return new Map([['q', q], ['k', k], ['v', v]]);
}

async function decide(windows: number, loud: (index: number) => boolean, cacheGranularity: 'tensor' | 'head' = 'tensor'): Promise<CacheDecision> {
  const request = { segment: attention(), executor: hostReference(), resolve: (name: string) => name, threads: 1, windows, feeds: (index: number) => feeds(index, loud), signal: new AbortController().signal, reporter: silentReporter };
  const { caches } = await observeSegment({ ...request, observer: { method: 'minmax' }, cacheGranularity });
  return decideCacheBits(request, cacheEncodings(caches, 8));
}

test('8 bits where the attention hardly changes', async () => {
  const { bits, error } = await decide(2, () => false);
  expect(bits).toBe(8);
  expect(error).toBeGreaterThan(0);
  expect(error).toBeLessThan(LARGEST_CACHE_ERROR);
});

test('16 bits where a loud channel takes the codes of the others; with scales of heads the other head is spared', async () => {
  const whole = await decide(2, () => true);
  const heads = await decide(2, () => true, 'head');
  expect([whole.bits, heads.bits]).toEqual([16, 16]);
  expect(whole.error).toBeGreaterThan(10 * LARGEST_CACHE_ERROR);
  expect(heads.error).toBeLessThan(0.8 * whole.error);
});

test('every eighth window decides where there are eight, on the range of all of them', async () => {
  const [held, others] = [await decide(8, (index) => index === 7), await decide(8, (index) => index !== 7)];
  expect(held.error).toBeCloseTo(others.error, 5);
  expect(await decide(8, () => false)).not.toEqual(await decide(7, () => false));
});
