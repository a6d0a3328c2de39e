/** The raw kernels in TypeScript: one thread, no addon, the same bytes. */
import type { RawKernels } from '../kernels.js';
import { accumulateBlocks, accumulateGram, cholesky, gather, mirror, multiplyByBlocks, multiplyInto, solveLower } from './algebra.js';
import { causalAttention } from './decoder/causal-attention.js';
import { add, rmsNorm, rotate, siluMultiply } from './decoder/elements.js';
import { causalSoftmaxBackward, siluMultiplyBackward } from './decoder/gradients.js';
import { allFinite, minMax, subtract, widenBf16, widenF16 } from './elements.js';
import * as int16 from './int16-products.js';
import { multiplyByCodes, roundBlocks } from './int8-products.js';
import { fwht, sgemm } from './matrices.js';
import { adaScaleGrid, adaScaleStep, adaScaleValues } from './reconstruction/ada-scale.js';
import { signRoundStep, signRoundValues } from './reconstruction/sign-round.js';
import { searchCandidates, searchLpbq } from './searches.js';
import { descend, roundToGrid, roundWithFeedback, rowLosses, valuesOnGrid } from './solvers.js';
import { dequantizeLpbq, dequantizePerChannel, quantizeLpbq, quantizeOnGrid, quantizePerChannel } from './weights.js';

export const typescriptKernels: RawKernels = {
  quantizeLpbq,
  dequantizeLpbq,
  quantizePerChannel,
  dequantizePerChannel,
  quantizeOnGrid8: quantizeOnGrid,
  quantizeOnGrid16: quantizeOnGrid,
  minMax,
  allFinite,
  widenBf16,
  widenF16,
  subtract,
  sgemm,
  fwht,
  algebra: { multiplyInto, accumulateGram, accumulateBlocks, int16, multiplyByBlocks, multiplyByCodes, roundBlocks, gather, mirror, cholesky, solveLower },
  decoder: { rmsNorm, rotate, causalAttention, siluMultiply, add, siluMultiplyBackward, causalSoftmaxBackward },
  solvers: { roundToGrid, valuesOnGrid, roundWithFeedback, descend, rowLosses, searchLpbq, searchCandidates },
  reconstruction: { adaScaleGrid, adaScaleValues, adaScaleStep, signRoundValues, signRoundStep },
};
