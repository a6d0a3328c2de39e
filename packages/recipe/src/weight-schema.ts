/** How a recipe says what the codes and scales of projections are: one scheme for all, and others for single layers. */
import { z } from 'zod';

const BLOCK_SIZES = [16, 32, 64] as const;
const bits = z.literal([4, 8]);
const blockSize = z.literal([...BLOCK_SIZES]);
const schemes = z.enum(['lpbq', 'per_channel', 'per_block']);

/** A scheme as the lock holds it. */
export const weightSchemeLock = z.discriminatedUnion('scheme', [
  z.strictObject({ scheme: z.literal('lpbq'), bits: z.literal(4), blockSize }),
  z.strictObject({ scheme: z.literal('per_channel'), bits }),
  z.strictObject({ scheme: z.literal('per_block'), bits, blockSize }),
]);

const blockSizeOption = blockSize.optional().describe('Input channels that share one block scale: 16, 32 or 64. Default: 32; `per_channel` has none.');

/** The scheme of all projections that no override names. */
export const weightsOption = z
  .strictObject({
    scheme: schemes.default('lpbq').describe('`lpbq`: integer block scales under a scale per output channel; `per_channel`: one scale per output channel; `per_block`: a float scale per block, for `activations: none`. See [schemes](quantization.md#schemes).'),
    bits: bits.default(4).describe('Bits of a weight code; `lpbq` has 4.'),
    blockSize: blockSizeOption,
  })
  .describe('Weights of the decoder projections.');

/** Schemes of single layers, and how far data may raise more of them. */
export const layerOptions = {
  overrides: z
    .array(z.strictObject({
      layers: z.string().min(1).max(200).describe('Names of projections, as `model.layers.3.mlp.down_proj`; `*` stands for anything between two dots, `[0-3]` for each of these numbers.'),
      scheme: schemes.default('per_channel').describe('As `quantize.weights.scheme`.'),
      bits: bits.describe('As `quantize.weights.bits`.'),
      blockSize: blockSizeOption,
    }))
    .max(1024)
    .default([])
    .describe('Projections with a scheme of their own; of several that name a layer the last holds. See [single layers](quantization.md#single-layers).'),
  mixedPrecision: z
    .strictObject({
      budget: z.number().gt(1).max(2).describe('Bytes that all projections may take, as a multiple of what they take with `quantize.weights`; above 1, at most 2. Layers that `overrides` names keep their scheme and count.'),
    })
    .optional()
    .describe('8 bits per channel for the projections whose rounding changes the most for each byte, measured with the calibration text: see [mixed precision](quantization.md#mixed-precision).'),
};
