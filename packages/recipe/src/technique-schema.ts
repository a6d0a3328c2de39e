/** How a recipe says which techniques give the weights their codes: named chains, and their links one by one. */
import { z } from 'zod';
import { QUANTIZE_RECIPES, type QuantizeRecipeName } from './technique.js';

const damping = z.number().gt(0).max(1).default(0.01).describe('Part of the mean diagonal of the Gram matrix that is added to it; raised by itself where the matrix needs more.');
const actOrder = z.boolean().default(true).describe('Round the columns with the loudest inputs first.');

const scaleSearch = z.discriminatedUnion('search', [
  z.strictObject({ search: z.literal('minmax') }).describe('Minimum and maximum of each block, as AIMET 2.42 rounds them.'),
  z.strictObject({
    search: z.literal('grid'),
    factors: z.int().min(1).max(64).default(9).describe('Channel scales that are tried, from 0.6 to 1 of that of min-max.'),
    weighting: z.enum(['blocks', 'diagonal', 'none']).default('blocks').describe('What errors weigh: Gram matrices of the inputs of each block, their diagonals, or all alike (no calibration).'),
  }).describe('LPBQ-grid search on the final integer grid.'),
  z.strictObject({
    search: z.literal('seqmse'),
    candidates: z.int().min(1).max(256).default(20).describe('Parts of the range that are tried.'),
    inputs: z.enum(['quantized', 'float']).default('quantized').describe("Whose inputs the target output has: AIMET's `symqt` or `asym`."),
    start: z.enum(['minMax', 'compressed']).default('minMax').describe("The full range: that of the weight, or of its LPBQ scales, as AIMET's recipe for ONNX begins."),
  }).describe('SeqMSE of AIMET.'),
]);

const rounding = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('nearest') }),
  z.strictObject({ method: z.literal('gptq'), damping, actOrder }),
  z.strictObject({ method: z.literal('gptaq'), damping, actOrder, alpha: z.number().min(0).max(1).default(0.25).describe('Part of the residual term.') }),
]);

const smoothing = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('none') }),
  z.strictObject({
    method: z.literal('awq'),
    points: z.int().min(2).max(100).default(20).describe('Exponents that are tried, from 0 at equal distances below 1.'),
  }).describe('AWQ: factors of input channels, folded into the gain or the layer before.'),
]);

const correction = z.union([z.number().min(0).max(1), z.literal('heldOut')]);
const polish = z.int().min(0).max(100);
const floatWindows = z.union([z.int().min(1).max(1024), z.literal('all')]);
const products = z.enum(['float32', 'int16', 'int8']);

const tokens = z.int().min(1).max(65_536).default(512).describe('Tokens of an iteration: as many whole calibration windows as they hold, at least one.');

const refinement = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('none') }),
  z.strictObject({ method: z.literal('adascale'), iterations: z.int().min(1).max(100_000).default(256).describe('Steps of Adam for each block.'), tokens }),
  z.strictObject({ method: z.literal('signround'), iterations: z.int().min(1).max(100_000).default(200).describe('Steps of sign descent for each block.'), tokens }),
]);

/** The chain as the lock holds it: every choice made. */
export const techniqueLock = z.strictObject({ smoothing, scales: scaleSearch, rounding, correction, polish, floatWindows, products, refine: refinement });

const NAMES = Object.keys(QUANTIZE_RECIPES) as [QuantizeRecipeName, ...QuantizeRecipeName[]];

/** Keys of the quantize section that choose techniques. */
export const techniqueOptions = {
  recipe: z.enum(NAMES).optional().describe('Named chain of techniques: see [quantization](quantization.md#named-recipes). Default: `lpbq_gptaq`.'),
  smoothing: smoothing.optional().describe('Whether input channels are scaled before scales are found, and what gives them the other way: [AWQ](techniques/awq.md). Not together with `optimize.rotate.r1`.'),
  scales: scaleSearch.optional().describe('How scales are found, in place of what the named recipe says.'),
  rounding: rounding.optional().describe('How codes are rounded on them: to nearest, or with error feedback (GPTQ, GPTAQ).'),
  correction: correction.optional().describe('Part of the damped target correction that is taken before rounding, 0 to 1; `heldOut` lets tokens that it was not made from decide for each layer.'),
  polish: polish.optional().describe('Sweeps of coordinate descent after rounding.'),
  floatWindows: floatWindows.optional().describe('On how many windows of the calibration text the float model runs, about, at equal distances, beside the held-out ones that choices are judged by; or on `all`. Only with links that compare with it, and not with `refine`.'),
  products: products.optional().describe('What inputs of matrix products with calibration tokens are rounded to: `int16` to 13-bit integers with a scale for 128 of them, in two thirds of the time of `float32` or less with AVX2; `int8` the same, but inputs of layers that have 4-bit codes already to 8-bit integers with a scale for 32, which meet the codes themselves, in half the time or less. All give the same bytes on all processors.'),
  refine: refinement.optional().describe('Learning of whole blocks by gradients afterwards: AdaScale (from min-max on, scales too), or SignRound (codes alone, from those of the chain).'),
};
