/** The Cholesky factor of a Gram matrix. */
import { loadKernels } from '@tundish/native';
import { randomMatrix } from './random-matrix.mjs';
import { roundsFor, shortest } from './shortest.mjs';

/** @param bars `milliseconds` on two threads */
export function cholesky(k, bars = {}) {
  return async (record) => {
    const { algebra } = loadKernels({ allow: 'native' });
    const operations = k ** 3 / 3;
    const matrix = new Float32Array(k * k);
    algebra.accumulateGram(matrix, randomMatrix(k + 512, k), k + 512, k);
    algebra.mirror(matrix, k);
    const work = new Float32Array(k * k);
    const factor = (threads) => () => {
      if (algebra.cholesky(work, k, threads) !== -1) throw new Error(`the Gram matrix of ${k} columns was not positive definite`);
    };
    const [one, two] = await shortest([factor(1), factor(2)], roundsFor(operations), () => work.set(matrix));
    record(`cholesky ${k}, 1 thread`, one * 1000, 'ms');
    record(`cholesky ${k}, 2 threads`, two * 1000, 'ms', bars.milliseconds === undefined ? undefined : ['<=', bars.milliseconds]);
    record(`cholesky ${k}, 2 threads, rate`, operations / two / 1e9, 'GFLOP/s');
  };
}
