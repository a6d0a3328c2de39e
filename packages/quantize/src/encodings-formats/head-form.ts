/** What one head of a cache has for an encoding. */
import type { TensorEncoding } from './document.js';

/** @param head index of the head; undefined for the whole cache, which has the encoding as it is */
export function headForm(encoding: TensorEncoding, head: number | undefined): TensorEncoding {
  if (head === undefined || encoding.kind !== 'per-tensor' || encoding.headScales === undefined) return encoding;
  const { headScales, ...whole } = encoding;
  return { ...whole, scale: headScales[head] ?? whole.scale };
}
