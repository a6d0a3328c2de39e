/** A model that was quantized elsewhere: the files that a recipe names in place of techniques, and what the lock pins of them. */
import type { BlobRef } from '@tundish/store';
import { z } from 'zod';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const pin = z.strictObject({ sha256, size: z.int().min(0) });
const path = z.string().min(1);

/** Keys of `quantize.source` in a recipe. */
export const quantizeSource = z
  .strictObject({
    encodings: path.describe('Encodings file of version 0.6.1, 1.0.0, 2.0.0 or 2.1.0, relative to the recipe.'),
    onnx: path.optional().describe('ONNX file in floating point that the encodings were made for, relative to the recipe; its weights are rounded in place of those of the checkpoint, and activations are found by what computes them.'),
    names: z.record(z.string().min(1), z.string().min(1)).optional().describe('Names in these files by which nothing is found, with the name in the graph of the stage `optimize` behind each.'),
  })
  .describe('Scales that were made elsewhere, in place of techniques: see [quantized elsewhere](quantized-elsewhere.md).');

const lockedFile = pin.extend({ path });

/** The same in a lock. */
export const quantizeSourceLock = z.strictObject({
  encodings: lockedFile,
  // `data`: files beside the ONNX file that hold its weights, by the names that it gives them.
  onnx: lockedFile.extend({ data: z.record(path, pin) }).optional(),
  names: z.record(path, path).optional(),
});

/** What the caller found out about the files of `quantize.source` by reading them. */
export interface QuantizeSourcePins {
  readonly encodings: BlobRef;
  readonly onnx?: BlobRef & { readonly data: Readonly<Record<string, BlobRef>> };
}
