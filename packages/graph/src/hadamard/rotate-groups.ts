/** Products with Hadamard matrices in float64: a fast Walsh-Hadamard transform and the small dense core. */
import type { Hadamard } from './hadamard.js';

/** Columns that are rotated together along the first axis: a tile of 2,048 rows is 1 MB. */
const TILE_COLUMNS = 64;

type Floats = Float32Array | Float64Array;

/**
 * Rotates groups of `size` neighbours along one axis of `x`, seen as [outer, axis, inner]: each group v becomes v H / √size.
 * Sums are float64; an element is rounded once, to the type of `out`. `out` may be `x`.
 *
 * @param x [outer, axis, inner], row-major; `size` divides `axis`
 */
export function rotateGroups(matrix: Hadamard, x: Floats, out: Floats, inner: number): void {
  const { size } = matrix;
  const width = Math.min(inner, TILE_COLUMNS);
  const tile = new Float64Array(size * width);
  const scratch = new Float64Array(matrix.order === 1 ? 0 : tile.length);
  const norm = 1 / Math.sqrt(size);
  for (let start = 0; start < x.length; start += size * inner) {
    for (let column = 0; column < inner; column += width) {
      const columns = Math.min(width, inner - column);
      for (let row = 0, from = start + column; row < size; row++, from += inner) {
        for (let c = 0; c < columns; c++) tile[row * columns + c] = x[from + c] as number;
      }
      const rotated = multiplyByCore(matrix, transformed(matrix, tile, columns), scratch, columns);
      for (let row = 0, to = start + column; row < size; row++, to += inner) {
        for (let c = 0; c < columns; c++) out[to + c] = (rotated[row * columns + c] as number) * norm;
      }
    }
  }
}

/** The Walsh-Hadamard transform of every run of `sylvester` rows of the tile, in place. */
function transformed({ sylvester, size }: Hadamard, tile: Float64Array, columns: number): Float64Array {
  const end = size * columns;
  for (let half = columns; half < sylvester * columns; half *= 2) {
    for (let start = 0; start < end; start += 2 * half) {
      for (let i = start; i < start + half; i++) {
        const left = tile[i] as number;
        const right = tile[i + half] as number;
        tile[i] = left + right;
        tile[i + half] = left - right;
      }
    }
  }
  return tile;
}

/** out[j] = Σ core[i,j] tile[i] over runs of `sylvester` rows. */
function multiplyByCore({ order, core, sylvester }: Hadamard, tile: Float64Array, out: Float64Array, columns: number): Float64Array {
  if (order === 1) return tile;
  const run = sylvester * columns;
  out.fill(0);
  for (let i = 0; i < order; i++) {
    for (let j = 0; j < order; j++) {
      const sign = core[i * order + j] as number;
      for (let k = 0, [from, to] = [i * run, j * run]; k < run; k++, from++, to++) (out[to] as number) += sign * (tile[from] as number);
    }
  }
  return out;
}
