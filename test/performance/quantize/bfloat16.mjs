/** Products of inputs rounded to bfloat16 beside those of fp32 on the same two threads, in turns. */
import { loadKernels } from '@tundish/native';
import { randomMatrix } from './random-matrix.mjs';
import { roundsFor, shortest } from './shortest.mjs';

/** @param transposeB whether b is stored [n, k], as the weights of a linear layer are */
export function bfloat16Product(m, n, k, transposeB = false) {
  return compare(`product ${m} x ${n} x ${k}${transposeB ? ', b transposed' : ''}`, 2 * m * n * k, () => {
    const [a, b, out] = [randomMatrix(m, k), randomMatrix(k, n, 2), new Float32Array(m * n)];
    return (products) => products.multiplyInto(out, a, b, { m, n, k, transposeB });
  });
}

export function bfloat16Gram(rows, k) {
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
    const [narrow, single] = await shortest([() => compute(algebra.bfloat16), () => compute(algebra)], roundsFor(operations));
    record(`bfloat16 ${title}, 2 threads`, operations / narrow / 1e9, 'GFLOP/s');
    record(`fp32 ${title}, 2 threads`, operations / single / 1e9, 'GFLOP/s');
    // Only a CPU with the instruction gains; on any other one the products are those of fp32 after some more packing.
    record(`bfloat16 ${title}, against fp32`, single / narrow, 'times as fast', ['>=', identity().isa === 'avx512bf16' ? 1.5 : 0.7]);
  };
}
