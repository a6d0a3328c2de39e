/** Codes of 4 bits as they lie in files. */

/** Two codes -8..7 a byte, the first in the low nibble, as code + 8. @param packed of half their number, from an even address; without it that is new */
export function packNibbles(codes: Int8Array, packed: Uint8Array = new Uint8Array(codes.length / 2)): Uint8Array {
  const inWords = codes.byteOffset % Int32Array.BYTES_PER_ELEMENT === 0 ? packWords(codes, packed) : 0;
  for (let i = inWords; i < packed.length; i++) packed[i] = ((codes[2 * i] as number) + 8) | (((codes[2 * i + 1] as number) + 8) << 4);
  return packed;
}

/** Four codes at once: adding 8 to a code changes one bit of its low nibble. @returns the bytes that are done */
function packWords(codes: Int8Array, packed: Uint8Array): number {
  const words = new Int32Array(codes.buffer, codes.byteOffset, Math.floor(codes.length / 4));
  const pairs = new Uint16Array(packed.buffer, packed.byteOffset, words.length);
  for (let i = 0; i < words.length; i++) {
    const nibbles = ((words[i] as number) & 0x0f0f0f0f) ^ 0x08080808;
    const bytes = nibbles | (nibbles >>> 4);
    pairs[i] = (bytes & 0xff) | ((bytes >>> 8) & 0xff00);
  }
  return 2 * words.length;
}
