/** Gives each head of a cache its own scale, where heads became values. */
import type { PerTensorEncoding } from '@tundish/graph';
import { transformError } from '../errors.js';

/**
 * The encoding of `renamed`, one of the `names` that took the place of `name`. A whole cache keeps the scales of its heads.
 *
 * @throws ENCODINGS_HEADS when there are not as many heads as scales
 */
export function shareHeads(name: string, encoding: PerTensorEncoding, renamed: string, names: readonly string[]): PerTensorEncoding {
  const { headScales, ...whole } = encoding;
  if (headScales === undefined || renamed === name) return encoding;
  const heads = names.filter((head) => head !== name);
  const scale = headScales[heads.indexOf(renamed)];
  if (scale !== undefined && heads.length === headScales.length) return { ...whole, scale };
  throw transformError('ENCODINGS_HEADS', { what: `${name} has ${headScales.length} scales and became ${heads.length} heads`, why: 'each head has a scale of its own' });
}
