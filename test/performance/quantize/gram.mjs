/** A Gram matrix of activations: half of a product, which should cost little more than half of its time. */
import { loadKernels } from '@tundish/native';
import { randomMatrix } from './random-matrix.mjs';
import { roundsFor, shortest } from './shortest.mjs';

const TOKENS = 2048;

export function gram(k) {
  return async (record) => {
    const { algebra } = loadKernels({ allow: 'native' });
    const x = randomMatrix(TOKENS, k);
    const out = new Float32Array(k * k);
    const accumulate = () => algebra.accumulateGram(out, x, TOKENS, k);
    const product = () => algebra.multiplyInto(out, x, x, { m: k, n: k, k: TOKENS, transposeA: true, accumulate: true });
    const [seconds, productSeconds] = await shortest([accumulate, product], roundsFor(2 * TOKENS * k * k));
    record(`gram ${k}, 2,048 tokens, 2 threads`, (TOKENS * k * (k + 1)) / seconds / 1e9, 'GFLOP/s of the triangle');
    record(`gram ${k}, time against the whole product`, seconds / productSeconds, 'of it', ['<=', 0.6]);
  };
}
