/** A matrix product against ONNX Runtime's MatMul on the same two threads, in turns. */
import { setTimeout } from 'node:timers/promises';
import { loadKernels } from '@tundish/native';
import { ortProduct } from './ort-product.mjs';
import { randomMatrix } from './random-matrix.mjs';
import { roundsFor, shortest } from './shortest.mjs';

/** Long enough for the threads of ONNX Runtime to stop waiting for more work on the processor. */
const PAUSE_MS = 100;

export function sgemm(m, n, k) {
  return async (record) => {
    const { algebra } = loadKernels({ allow: 'native' });
    const operations = 2 * m * n * k;
    const [a, b] = [randomMatrix(m, k), randomMatrix(k, n, 2)];
    const [ours, theirs] = [new Float32Array(m * n), new Float32Array(m * n)];
    for (const transposeB of [false, true]) {
      const ort = await ortProduct({ a, b, out: theirs, m, n, k, transposeB });
      const multiply = () => algebra.multiplyInto(ours, a, b, { m, n, k, transposeB });
      const [seconds, ortSeconds] = await shortest([multiply, ort.run], roundsFor(operations), () => setTimeout(PAUSE_MS));
      await ort.release();
      const difference = ours.reduce((largest, value, i) => Math.max(largest, Math.abs(value - theirs[i])), 0);
      if (!(difference < 1e-4 * Math.sqrt(k))) throw new Error(`the products of ${m} x ${n} x ${k} differ by ${difference}`);
      const title = `sgemm ${m} x ${n} x ${k}${transposeB ? ', b transposed' : ''}, 2 threads`;
      record(title, operations / seconds / 1e9, 'GFLOP/s');
      record(`${title}, against ONNX Runtime`, ortSeconds / seconds, 'times as fast', ['>=', 0.9]);
    }
  };
}
