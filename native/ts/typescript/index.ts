/** The raw kernels in TypeScript: one thread, no addon, the same bytes. */
import type { RawKernels } from '../kernels.js';
import { minMax, widenBf16, widenF16 } from './elements.js';
import { fwht, sgemm } from './matrices.js';
import { dequantizeLpbq, dequantizePerChannel, quantizeAsymmetric, quantizeLpbq, quantizePerChannel } from './weights.js';

export const typescriptKernels: RawKernels = {
  quantizeLpbq,
  dequantizeLpbq,
  quantizePerChannel,
  dequantizePerChannel,
  quantizeAsymmetric8: (w, codes, parameters) => quantizeAsymmetric(w, codes, 255, parameters),
  quantizeAsymmetric16: (w, codes, parameters) => quantizeAsymmetric(w, codes, 65535, parameters),
  minMax,
  widenBf16,
  widenF16,
  sgemm,
  fwht,
};
