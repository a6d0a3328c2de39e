/** Writes an encodings file of any version. Layout: docs/formats/encodings.md. */
import type { EncodingsDocument, EncodingsVersion } from './document.js';
import { writeEncodings061 } from './write-v0-6-1.js';
import { writeEncodings100 } from './write-v1-0-0.js';
import { writeEncodings200, writeEncodings210 } from './write-v2.js';

const WRITERS: Readonly<Record<EncodingsVersion, (document: EncodingsDocument) => Generator<string>>> = {
  '0.6.1': writeEncodings061,
  '1.0.0': writeEncodings100,
  '2.0.0': writeEncodings200,
  '2.1.0': writeEncodings210,
};

/**
 * The file as pieces of text, one entry at a time; what cannot be said is refused when its piece is asked for.
 *
 * @throws ENCODINGS_NOT_EXPRESSIBLE
 */
export function writeEncodings(document: EncodingsDocument, version: EncodingsVersion = document.version): Generator<string> {
  return WRITERS[version](document);
}
