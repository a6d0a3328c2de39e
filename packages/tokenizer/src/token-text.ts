/** What each token means as bytes of text, compiled from the `decoder` of tokenizer.json. */
import { printable } from '@tundish/diagnostics';
import { isObject, unsupported } from './tokenizer-file.js';
import type { Json } from './tokenizer-file.js';

export interface TokenText {
  /** UTF-8 bytes of a token; a character may be spread over several tokens. */
  bytes(token: string, isFirst: boolean): Uint8Array;
  /** How many leading spaces the decoder takes off the whole text. */
  readonly leadingSpaces: number;
}

/** Rewrites the text of a token. */
type Rewrite = (text: string, isFirst: boolean) => string;
/** The bytes of a token, or undefined where it is plain text. */
type AsBytes = (token: string) => Uint8Array | undefined;

/** @throws TundishError TOKENIZER_UNSUPPORTED for a decoder step of another kind */
export function compileTokenText(decoder: unknown, path: string): TokenText {
  const utf8 = new TextEncoder();
  if (!isObject(decoder)) return { bytes: (token, isFirst) => utf8.encode(isFirst ? token : ` ${token}`), leadingSpaces: 0 };
  const steps = decoder['type'] === 'Sequence' && Array.isArray(decoder['decoders']) ? (decoder['decoders'] as unknown[]) : [decoder];
  const rewrites: Rewrite[] = [];
  const conversions: AsBytes[] = [];
  let leadingSpaces = 0;
  let fused = false;
  for (const step of steps) {
    const type = isObject(step) ? step['type'] : undefined;
    if (!isObject(step) || typeof type !== 'string') throw unsupported(path, 'a decoder without a type');
    if (type === 'ByteLevel') conversions.push(byteLevelBytes);
    else if (type === 'ByteFallback') conversions.push(fallbackByte);
    else if (type === 'Fuse') fused = true;
    else if (type === 'Replace' && !fused) rewrites.push(compileReplace(step, path));
    else if (type === 'Metaspace' && !fused) rewrites.push(compileMetaspace(step));
    else if (type === 'Strip' && fused && step['content'] === ' ' && step['stop'] === 0) leadingSpaces += Number(step['start']);
    else throw unsupported(path, `decoder ${printable(type, 60)} in this place`);
  }
  const bytes = (token: string, isFirst: boolean): Uint8Array => {
    for (const convert of conversions) {
      const converted = convert(token);
      if (converted !== undefined) return converted;
    }
    return utf8.encode(rewrites.reduce((text, rewrite) => rewrite(text, isFirst), token));
  };
  return { bytes, leadingSpaces };
}

function compileReplace(step: Json, path: string): Rewrite {
  const pattern = isObject(step['pattern']) ? step['pattern']['String'] : undefined;
  const content = step['content'];
  if (typeof pattern !== 'string' || typeof content !== 'string') throw unsupported(path, 'a Replace decoder with a regular expression');
  return (text) => text.replaceAll(pattern, content);
}

/** The first token loses its marks, since encoding put one in front of the text. */
function compileMetaspace(step: Json): Rewrite {
  const mark = typeof step['replacement'] === 'string' ? step['replacement'] : '\u2581';
  const strips = step['prepend_scheme'] !== 'never' && step['add_prefix_space'] !== false;
  return (text, isFirst) => text.replaceAll(mark, isFirst && strips ? '' : ' ');
}

function fallbackByte(token: string): Uint8Array | undefined {
  const digits = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
  return digits === undefined ? undefined : Uint8Array.of(Number.parseInt(digits, 16));
}

const BYTE_OF_CHARACTER = byteLevelTable();

/** A token with a character outside the table (an added token with a space) stands for itself. */
function byteLevelBytes(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) return new TextEncoder().encode(token);
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** GPT-2's `bytes_to_unicode`: printable Latin-1 stands for itself, the other bytes follow from U+0100 on. */
function byteLevelTable(): ReadonlyMap<string, number> {
  const table = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printableByte = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    table.set(String.fromCharCode(printableByte ? byte : next++), byte);
  }
  return table;
}
