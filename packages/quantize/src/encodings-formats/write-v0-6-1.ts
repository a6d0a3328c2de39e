/** Writes encodings 0.6.1, which knows scales of tensors and channels only. Layout: docs/formats/encodings.md. */
import type { EncodingsDocument, EncodingsEntry, IntegerGrid } from './document.js';
import { toOffset } from './offsets.js';
import { entriesOfRole, entryExtra, extraFor, notExpressible, writeFields, writeTable } from './writing.js';

/** @throws ENCODINGS_NOT_EXPRESSIBLE */
export function writeEncodings061(document: EncodingsDocument): Generator<string> {
  const table = (role: EncodingsEntry['role']): Generator<string> => writeTable(entriesOfRole(document, role, '0.6.1'), (entry) => `${JSON.stringify(entry.name)}:${channelsText(document, entry)}`, ['{', '}']);
  return writeFields('0.6.1', new Map([['activation_encodings', table('activation')], ['param_encodings', table('parameter')]]), extraFor(document, '0.6.1'));
}

function channelsText(document: EncodingsDocument, entry: EncodingsEntry): string {
  const extra = Object.entries(entryExtra(document, entry, '0.6.1'));
  const own = (channel: number): object => Object.fromEntries(extra.map(([field, values]) => [field, (values as readonly unknown[])[channel]]));
  return JSON.stringify(channelsOf(entry).map((fields, i) => ({ ...fields, ...own(i) })));
}

function channelsOf(entry: EncodingsEntry): readonly object[] {
  const { encoding } = entry;
  switch (encoding.kind) {
    case 'float':
      return [{ bitwidth: encoding.bits, dtype: 'float' }];
    case 'per-tensor':
      return [integerFields(encoding.grid, encoding.scale, encoding.zeroPoint)];
    case 'per-channel':
      if (encoding.scale.length === 1) throw notExpressible(entry, '0.6.1', 'has one channel, and a list of one means the whole tensor');
      return Array.from(encoding.scale, (scale, i) => integerFields(encoding.grid, scale, encoding.zeroPoint[i] as number));
    default:
      throw notExpressible(entry, '0.6.1', 'has scales of blocks');
  }
}

/** `min` and `max` are the reals of the first and the last code. */
function integerFields({ bits, symmetric }: IntegerGrid, scale: number, zeroPoint: number): object {
  const real = (code: number): number => (code - zeroPoint) * scale;
  return { bitwidth: bits, dtype: 'int', is_symmetric: symmetric ? 'True' : 'False', max: real(2 ** bits - 1), min: real(0), offset: toOffset(zeroPoint), scale };
}
