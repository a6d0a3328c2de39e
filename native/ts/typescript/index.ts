/** The raw kernels and algebra in TypeScript: one thread, no addon, the same bytes. */
import type { RawAlgebra } from '../algebra.js';
import type { RawKernels } from '../kernels.js';
import { accumulateGram, cholesky, mirror, multiplyInto, solveLower } from './algebra.js';
import { minMax, widenBf16, widenF16 } from './elements.js';
import { fwht, sgemm } from './matrices.js';
import { dequantizeLpbq, dequantizePerChannel, quantizeLpbq, quantizeOnGrid, quantizePerChannel } from './weights.js';

export const typescriptKernels: RawKernels = {
  quantizeLpbq,
  dequantizeLpbq,
  quantizePerChannel,
  dequantizePerChannel,
  quantizeOnGrid8: quantizeOnGrid,
  quantizeOnGrid16: quantizeOnGrid,
  minMax,
  widenBf16,
  widenF16,
  sgemm,
  fwht,
};

export const typescriptAlgebra: RawAlgebra = { multiplyInto, accumulateGram, mirror, cholesky, solveLower };
