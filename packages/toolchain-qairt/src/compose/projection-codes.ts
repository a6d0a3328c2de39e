/** Codes of a projection as the compiler wants them: [out, in] becomes [in, out], a signed integer each. */

/** Rows that are turned together: the bytes of a cache line of the result. */
const TILE = 64;
const SIGNS = 0x80808080;
const EIGHTS = 0x08080808;

/**
 * Places rows [from, from + n) of a matrix [rows, columns] into `turned`, [columns][rows].
 *
 * @param codes of these rows alone: int8, int16, or two codes -8..7 a byte as code + 8, the first in the low nibble
 * @param turned int16 for codes of 16 bits, else int8; rows * columns of them, those of other rows stay
 */
export function projectionCodes(codes: Uint8Array, bits: 4 | 8 | 16, { rows, columns, from }: { readonly rows: number; readonly columns: number; readonly from: number }, turned: Int8Array | Int16Array): void {
  if (bits === 16) return turnWide(codes, turned, { rows, columns, from });
  const rowBytes = (columns * bits) / 8;
  const count = codes.length / rowBytes;
  // Four rows make a word of the result; words need every row to begin on one.
  const inWords = (turned.byteOffset | codes.byteOffset | rows | from | rowBytes) % 4 === 0 ? count - (count % 4) : 0;
  const turn = bits === 4 ? turnNibbles : turnBytes;
  if (inWords > 0) {
    const source = new Uint32Array(codes.buffer, codes.byteOffset, codes.byteLength >> 2);
    const target = new Uint32Array(turned.buffer, turned.byteOffset, turned.length >> 2);
    for (let first = 0; first < inWords; first += TILE) turn(source, target, { first, last: Math.min(first + TILE, inWords), rowWords: rowBytes / 4, stride: rows / 4, at: from / 4 });
  }
  for (let row = inWords; row < count; row++) turnRow(codes.subarray(row * rowBytes, (row + 1) * rowBytes), bits, turned, rows, from + row);
}

interface Tile {
  readonly first: number;
  readonly last: number;
  /** Words of a row of the source. */
  readonly rowWords: number;
  /** Words of a row of the result. */
  readonly stride: number;
  /** Word of the result that the first row of the source begins. */
  readonly at: number;
}

function turnBytes(source: Uint32Array, target: Uint32Array, { first, last, rowWords, stride, at }: Tile): void {
  for (let word = 0; word < rowWords; word++) {
    for (let row = first; row < last; row += 4) {
      const i = row * rowWords + word;
      const [a, b, c, d] = [source[i] as number, source[i + rowWords] as number, source[i + 2 * rowWords] as number, source[i + 3 * rowWords] as number];
      let to = 4 * word * stride + at + (row >> 2);
      for (let shift = 0; shift < 32; shift += 8, to += stride) {
        target[to] = ((a >>> shift) & 255) | (((b >>> shift) & 255) << 8) | (((c >>> shift) & 255) << 16) | ((d >>> shift) << 24);
      }
    }
  }
}

function turnNibbles(source: Uint32Array, target: Uint32Array, { first, last, rowWords, stride, at }: Tile): void {
  for (let word = 0; word < rowWords; word++) {
    for (let row = first; row < last; row += 4) {
      const i = row * rowWords + word;
      const [a, b, c, d] = [source[i] as number, source[i + rowWords] as number, source[i + 2 * rowWords] as number, source[i + 3 * rowWords] as number];
      let to = 8 * word * stride + at + (row >> 2);
      for (let shift = 0; shift < 32; shift += 4, to += stride) {
        const four = ((a >>> shift) & 15) | (((b >>> shift) & 15) << 8) | (((c >>> shift) & 15) << 16) | (((d >>> shift) & 15) << 24);
        // Four subtractions of 8 at once: the top bits keep them from borrowing of each other.
        target[to] = ((four | SIGNS) - EIGHTS) ^ SIGNS;
      }
    }
  }
}

function turnRow(codes: Uint8Array, bits: 4 | 8, turned: Int8Array | Int16Array, rows: number, row: number): void {
  const columns = turned.length / rows;
  for (let column = 0; column < columns; column++) {
    const code = bits === 8 ? (codes[column] as number) : (((codes[column >> 1] as number) >> (4 * (column & 1))) & 15) - 8;
    turned[column * rows + row] = code;
  }
}

function turnWide(codes: Uint8Array, turned: Int8Array | Int16Array, { rows, columns, from }: { readonly rows: number; readonly columns: number; readonly from: number }): void {
  const source = new DataView(codes.buffer, codes.byteOffset, codes.byteLength);
  const count = codes.byteLength / (2 * columns);
  for (let first = 0; first < count; first += TILE) {
    for (let column = 0; column < columns; column++) {
      for (let row = first; row < Math.min(first + TILE, count); row++) turned[column * rows + from + row] = source.getInt16(2 * (row * columns + column), true);
    }
  }
}
