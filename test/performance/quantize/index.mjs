/** The figures of the quantization core: linear algebra on its own, and named recipes at the sizes of known models (2.5 and 2.3 GB of random checkpoints). */
import { recordMachine } from '../machine.mjs';
import { ablation } from './ablation.mjs';
import { cholesky } from './cholesky.mjs';
import { gram } from './gram.mjs';
import { recipeAt, recipeOnBundled } from './recipes.mjs';
import { codeProduct, int16Gram, int16Product } from './rounded-products.mjs';
import { sgemm } from './sgemm.mjs';

export const measurements = {
  // Squares, and the projections of Llama 3.2 1B over 2,048 tokens.
  'sgemm 2048 x 2048 x 2048': sgemm(2048, 2048, 2048),
  'sgemm 2048 x 8192 x 2048': sgemm(2048, 8192, 2048),
  'sgemm 2048 x 2048 x 8192': sgemm(2048, 2048, 8192),
  'sgemm 4096 x 4096 x 4096': sgemm(4096, 4096, 4096),
  'sgemm 8192 x 8192 x 8192': sgemm(8192, 8192, 8192),
  // Rounded inputs: a linear layer's [n, k] weight with a piece of a batch, and the Gram matrix of such a piece.
  'int16 512 x 8192 x 2048': int16Product(512, 8192, 2048, true),
  'int16 2048 x 2048 x 2048': int16Product(2048, 2048, 2048),
  'int16 gram 8192': int16Gram(512, 8192),
  'codes 4096 x 8192 x 2048': codeProduct(4096, 8192, 2048),
  'gram 2048': gram(2048),
  'gram 8192': gram(8192),
  'cholesky 512': cholesky(512),
  'cholesky 2048': cholesky(2048, { milliseconds: 25 }),
  'cholesky 8192': cholesky(8192),
  // 32,768 tokens of calibration; min-max needs none.
  ablation,
  'mini-llama lpbq_gptaq': recipeOnBundled('lpbq_gptaq', { seconds: 20 }),
  '1b minmax': recipeAt('llama-3.2-1b', 'minmax', { bars: { seconds: 15, megabytes: 3000 } }),
  '1b lpbq_seqmse': recipeAt('llama-3.2-1b', 'lpbq_seqmse', { bars: { seconds: 360, megabytes: 3000 } }),
  '1b lpbq_gptaq': recipeAt('llama-3.2-1b', 'lpbq_gptaq', { bars: { seconds: 1200, megabytes: 3000 } }),
  '3b lpbq_gptaq': recipeAt('llama-3.2-3b', 'lpbq_gptaq', { bars: { megabytes: 4500 }, layers: 4, blocks: 28 }),
};

export const atBothEnds = recordMachine;
