/** Writes encodings 1.0.0, the version that Qualcomm's tools and published models use. Layout: docs/formats/encodings.md. */
import type { Bits, EncodingsDocument, EncodingsEntry } from './document.js';
import { middleOf, toOffset } from './offsets.js';
import { entriesOfRole, entryExtra, extraFor, fieldsText, writeFields, writeTable } from './writing.js';

/** @throws ENCODINGS_NOT_EXPRESSIBLE */
export function writeEncodings100(document: EncodingsDocument): Generator<string> {
  const table = (role: EncodingsEntry['role']): Generator<string> => writeTable(entriesOfRole(document, role, '1.0.0'), (entry) => fieldsText({ ...fieldsOf(entry), ...entryExtra(document, entry, '1.0.0') }));
  return writeFields('1.0.0', new Map([['activation_encodings', table('activation')], ['param_encodings', table('parameter')]]), extraFor(document, '1.0.0'));
}

function fieldsOf({ name, encoding }: EncodingsEntry): object {
  if (encoding.kind === 'float') return { name, enc_type: 'PER_TENSOR', dtype: 'FLOAT', bw: encoding.bits };
  if (encoding.kind === 'lpbq') {
    const { bits, decompressedBits, blockSize, channelScale, blockScale } = encoding;
    return {
      ...integers(name, 'LPBQ', decompressedBits, true), scale: channelScale, offset: new Array<number>(channelScale.length).fill(toOffset(middleOf(decompressedBits))),
      block_size: blockSize, compressed_bw: bits, per_block_int_scale: blockScale,
    };
  }
  const { bits, symmetric } = encoding.grid;
  if (encoding.kind === 'per-tensor') return { ...integers(name, 'PER_TENSOR', bits, symmetric), scale: [encoding.scale], offset: [toOffset(encoding.zeroPoint)] };
  const values = { scale: encoding.scale, offset: encoding.zeroPoint.map(toOffset) };
  if (encoding.kind === 'per-channel') return { ...integers(name, 'PER_CHANNEL', bits, symmetric), ...values };
  return { ...integers(name, 'PER_BLOCK', bits, symmetric), ...values, block_size: encoding.blockSize };
}

function integers(name: string, form: string, bits: Bits, symmetric: boolean): object {
  return { name, enc_type: form, dtype: 'INT', bw: bits, is_sym: symmetric };
}
