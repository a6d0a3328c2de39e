/** The zero points of 4-bit codes are all 8: one small file of that constant serves every weight as a byte range. */
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataType, type ExternalTensor, byteLength } from '@tundish/graph';
import type { QuantizedWeight } from './quantized-weight.js';

export const ZERO_POINTS = 'zero-points.weights';

/** Two codes of 8 in a byte. */
const TWO_EIGHTS = 0x88;

/** A range of the constant file that serves as the UINT4 zero point of the given shape. */
export type ZeroPointRange = (dims: readonly number[]) => ExternalTensor;

/** UINT4 zero point of the given shape: the first bytes of the file. */
export const zeroPointRange: ZeroPointRange = (dims) => {
  return { kind: 'external', dtype: DataType.UINT4, dims, location: ZERO_POINTS, offset: 0, length: byteLength(DataType.UINT4, dims) };
};

/** Makes the file as long as the longest range asks for. */
export async function writeZeroPoints(folder: string, weights: Iterable<QuantizedWeight>): Promise<void> {
  const path = join(folder, ZERO_POINTS);
  const longest = Math.max(0, ...[...weights].map((weight) => ('zeroPoint' in weight ? (weight.zeroPoint?.length ?? 0) : 0)));
  const present = await stat(path).then(({ size }) => size, () => -1);
  if (present < longest) await writeFile(path, new Uint8Array(longest).fill(TWO_EIGHTS));
}
