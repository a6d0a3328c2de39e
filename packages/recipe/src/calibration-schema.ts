/** How a recipe says what ranges of activations are made of. */
import { z } from 'zod';

export const observer = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('minmax') }).describe('All that was seen.'),
  z.strictObject({ method: z.literal('percentile'), percentile: z.number().min(50).max(100).default(99.99).describe('Part of the values, in percent, that lie below the upper end, and as many above the lower one.') }).describe('Without the outer tails.'),
  z.strictObject({ method: z.literal('sqnr'), gamma: z.number().min(1).max(1000).default(3).describe('How often the squared error of a clipped value counts.') }).describe('Least noise of rounding and clipping, as AIMET searches it.'),
  z.strictObject({ method: z.literal('mse') }).describe('Least squared error.'),
]);
