/** The zero points of LPBQ are all 8: one small file of that constant serves every weight as a byte range. */
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataType, type ExternalTensor, byteLength } from '@tundish/graph';
import type { QuantizedWeight } from './quantized-weight.js';

export const ZERO_POINTS = 'zero-points.weights';

/** Two codes of 8 in a byte. */
const TWO_EIGHTS = 0x88;

/** UINT4 zero point of the given shape: the first bytes of the file. */
export function zeroPointRange(dims: readonly [number, number]): ExternalTensor {
  return { kind: 'external', dtype: DataType.UINT4, dims, location: ZERO_POINTS, offset: 0, length: byteLength(DataType.UINT4, dims) };
}

/** Makes the file as long as the longest range asks for. */
export async function writeZeroPoints(folder: string, weights: Iterable<QuantizedWeight>): Promise<void> {
  const path = join(folder, ZERO_POINTS);
  const longest = Math.max(0, ...[...weights].map((weight) => (weight.kind === 'lpbq' ? weight.zeroPoint.length : 0)));
  const present = await stat(path).then(({ size }) => size, () => -1);
  if (present < longest) await writeFile(path, new Uint8Array(longest).fill(TWO_EIGHTS));
}
