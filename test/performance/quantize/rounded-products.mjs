/** Products of rounded inputs beside those of fp32 on the same two threads, in turns. */
import { loadKernels } from '@tundish/native';
import { randomMatrix } from './random-matrix.mjs';
import { roundsFor, shortest } from './shortest.mjs';

/** What the instructions of a variant bring at least. AVX-512 without VNNI needs as many of them for 13 bits as for fp32. */
const LEAST_GAIN = {
  int16: { avx512vnni: ['>=', 1.5], avx2: ['>=', 1.25] },
  codes: { avx512vnni: ['>=', 1.8], avx2: ['>=', 1.8] },
};

/** @param transposeB whether b is stored [n, k], as the weights of a linear layer are */
export function int16Product(m, n, k, transposeB = false) {
  return compare('int16', `product ${m} x ${n} x ${k}${transposeB ? ', b transposed' : ''}`, 2 * m * n * k, ({ algebra }) => {
    const [a, b, out] = [randomMatrix(m, k), randomMatrix(k, n, 2), new Float32Array(m * n)];
    const on = (products) => () => products.multiplyInto(out, a, b, { m, n, k, transposeB });
    return [on(algebra.int16), on(algebra)];
  });
}

export function int16Gram(rows, k) {
  return compare('int16', `gram ${k}, ${rows} tokens`, rows * k * (k + 1), ({ algebra }) => {
    const [x, out] = [randomMatrix(rows, k), new Float32Array(k * k)];
    const on = (products) => () => products.accumulateGram(out, x, rows, k);
    return [on(algebra.int16), on(algebra)];
  });
}

/** Codes of a weight [n, k] in blocks of 32 beside the weight that they stand for. */
export function codeProduct(m, n, k) {
  return compare('codes', `product ${m} x ${n} x ${k}`, 2 * m * n * k, ({ algebra, solvers }) => {
    const [x, w, out] = [randomMatrix(m, k), randomMatrix(n, k, 2), new Float32Array(m * n)];
    const grid = { scale: new Float32Array((n * k) / 32).fill(0.125), block: 32, bits: 4 };
    const codes = solvers.roundToGrid({ w, n, k }, grid);
    return [() => algebra.multiplyByCodes(out, x, codes, grid, { m, n, k }), () => algebra.multiplyInto(out, x, w, { m, n, k, transposeB: true })];
  });
}

/** @param kind of what is rounded @param prepare makes the matrices, and gives the work with what is rounded and in fp32 */
function compare(kind, title, operations, prepare) {
  return async (record) => {
    const kernels = loadKernels({ allow: 'native' });
    const [rounded, single] = await shortest(prepare(kernels), roundsFor(operations));
    record(`${kind} ${title}, 2 threads`, operations / rounded / 1e9, 'GFLOP/s');
    record(`fp32 ${title}, 2 threads`, operations / single / 1e9, 'GFLOP/s');
    record(`${kind} ${title}, against fp32`, single / rounded, 'times as fast', LEAST_GAIN[kind][kernels.identity().isa]);
  };
}
