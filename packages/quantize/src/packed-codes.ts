/** Codes of 4 bits as they lie in files. */

/** Two codes -8..7 a byte, the first in the low nibble, as code + 8. */
export function packNibbles(codes: Int8Array): Uint8Array {
  const packed = new Uint8Array(codes.length / 2);
  for (let i = 0; i < packed.length; i++) packed[i] = ((codes[2 * i] as number) + 8) | (((codes[2 * i + 1] as number) + 8) << 4);
  return packed;
}
