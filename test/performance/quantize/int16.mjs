/** Products of block floating point beside those of fp32 on the same two threads, in turns. */
import { loadKernels } from '@tundish/native';
import { randomMatrix } from './random-matrix.mjs';
import { roundsFor, shortest } from './shortest.mjs';

/** What the instructions of a variant bring at least. AVX-512 without VNNI needs as many of them as for fp32. */
const LEAST_GAIN = { avx512vnni: ['>=', 1.5], avx2: ['>=', 1.25] };

/** @param transposeB whether b is stored [n, k], as the weights of a linear layer are */
export function int16Product(m, n, k, transposeB = false) {
  return compare(`product ${m} x ${n} x ${k}${transposeB ? ', b transposed' : ''}`, 2 * m * n * k, () => {
    const [a, b, out] = [randomMatrix(m, k), randomMatrix(k, n, 2), new Float32Array(m * n)];
    return (products) => products.multiplyInto(out, a, b, { m, n, k, transposeB });
  });
}

export function int16Gram(rows, k) {
  return compare(`gram ${k}, ${rows} tokens`, rows * k * (k + 1), () => {
    const [x, out] = [randomMatrix(rows, k), new Float32Array(k * k)];
    return (products) => products.accumulateGram(out, x, rows, k);
  });
}

/** @param prepare makes the matrices and gives the work on them */
function compare(title, operations, prepare) {
  return async (record) => {
    const { algebra, identity } = loadKernels({ allow: 'native' });
    const compute = prepare();
    const [integers, single] = await shortest([() => compute(algebra.int16), () => compute(algebra)], roundsFor(operations));
    record(`int16 ${title}, 2 threads`, operations / integers / 1e9, 'GFLOP/s');
    record(`fp32 ${title}, 2 threads`, operations / single / 1e9, 'GFLOP/s');
    record(`int16 ${title}, against fp32`, single / integers, 'times as fast', LEAST_GAIN[identity().isa]);
  };
}
