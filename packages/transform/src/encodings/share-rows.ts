/** Cuts the encoding of a weight by rows, as the weight itself is cut by heads. */
import type { ParameterEncoding } from '@tundish/graph';
import { transformError } from '../errors.js';

/**
 * The encoding of piece `index` of `count` equal pieces along the output axis: channels and their blocks go with their
 * rows, a per-tensor encoding serves every piece.
 *
 * @throws ENCODINGS_ROWS when the rows cannot be shared out evenly
 */
export function shareRows(name: string, encoding: ParameterEncoding, index: number, count: number): ParameterEncoding {
  if (encoding.kind === 'per-tensor') return encoding;
  const channels = encoding.kind === 'per-block' ? encoding.channels : encoding.kind === 'lpbq' ? encoding.channelScale.length : encoding.scale.length;
  const rows = channels / count;
  if (!Number.isInteger(rows)) {
    throw transformError('ENCODINGS_ROWS', {
      what: `the ${channels} channels of ${name} cannot be shared by ${count} heads`,
      why: 'every head owns the same number of rows of its projection',
    });
  }
  const [from, to] = [index * rows, (index + 1) * rows];
  if (encoding.kind === 'per-channel') return { ...encoding, scale: encoding.scale.slice(from, to) };
  const blocks = (encoding.kind === 'per-block' ? encoding.scale : encoding.blockScale).length / channels;
  if (encoding.kind === 'per-block') return { ...encoding, channels: rows, scale: encoding.scale.slice(from * blocks, to * blocks) };
  return { ...encoding, channelScale: encoding.channelScale.slice(from, to), blockScale: encoding.blockScale.slice(from * blocks, to * blocks) };
}
