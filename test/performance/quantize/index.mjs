/** The figures of the quantization core on its own: linear algebra. Needs the native kernels and no model. */
import { recordMachine } from '../machine.mjs';
import { bfloat16Gram, bfloat16Product } from './bfloat16.mjs';
import { cholesky } from './cholesky.mjs';
import { gram } from './gram.mjs';
import { sgemm } from './sgemm.mjs';

export const measurements = {
  // Squares, and the projections of Llama 3.2 1B over 2,048 tokens.
  'sgemm 2048 x 2048 x 2048': sgemm(2048, 2048, 2048),
  'sgemm 2048 x 8192 x 2048': sgemm(2048, 8192, 2048),
  'sgemm 2048 x 2048 x 8192': sgemm(2048, 2048, 8192),
  'sgemm 4096 x 4096 x 4096': sgemm(4096, 4096, 4096),
  'sgemm 8192 x 8192 x 8192': sgemm(8192, 8192, 8192),
  // Rounded inputs: a linear layer's [n, k] weight with a piece of a batch, and the Gram matrix of such a piece.
  'bfloat16 512 x 8192 x 2048': bfloat16Product(512, 8192, 2048, true),
  'bfloat16 2048 x 2048 x 2048': bfloat16Product(2048, 2048, 2048),
  'bfloat16 gram 8192': bfloat16Gram(512, 8192),
  'gram 2048': gram(2048),
  'gram 8192': gram(8192),
  'cholesky 512': cholesky(512),
  'cholesky 2048': cholesky(2048, { milliseconds: 25 }),
  'cholesky 8192': cholesky(8192),
};

export const atBothEnds = recordMachine;
