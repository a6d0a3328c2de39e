/** Products with Hadamard matrices in float64: a fast Walsh-Hadamard transform and the small dense core. */
import type { Hadamard } from './hadamard.js';

/** Groups that are rotated side by side, so that every loop runs over neighbours: 2,048 rows of them are 256 KB. */
const LANES = 16;

type Floats = Float32Array | Float64Array;

/**
 * Rotates groups of `size` neighbours along one axis of `x`, seen as [outer, axis, inner]: each group v becomes v H / √size.
 * Sums are float64; an element is rounded once, to the type of `out`. `out` may be `x`.
 *
 * @param x [outer, axis, inner], row-major; `size` divides `axis`
 */
export function rotateGroups(matrix: Hadamard, x: Floats, out: Floats, inner: number): void {
  const { size } = matrix;
  const tile = new Float64Array(size * LANES);
  const scratch = new Float64Array(matrix.order === 1 ? 0 : tile.length);
  if (inner === 1) {
    for (let start = 0; start < x.length; start += size * LANES) {
      const lanes = Math.min(LANES, (x.length - start) / size);
      rotateTile(matrix, { x, out, start, lanes, ofRow: 1, ofLane: size }, tile, scratch);
    }
    return;
  }
  for (let group = 0; group < x.length; group += size * inner) {
    for (let column = 0; column < inner; column += LANES) {
      rotateTile(matrix, { x, out, start: group + column, lanes: Math.min(LANES, inner - column), ofRow: inner, ofLane: 1 }, tile, scratch);
    }
  }
}

/** Up to LANES groups: element `row` of group `lane` is at start + row * ofRow + lane * ofLane. */
interface Tile {
  readonly x: Floats;
  readonly out: Floats;
  readonly start: number;
  readonly lanes: number;
  readonly ofRow: number;
  readonly ofLane: number;
}

function rotateTile(matrix: Hadamard, { x, out, start, lanes, ofRow, ofLane }: Tile, tile: Float64Array, scratch: Float64Array): void {
  const { size, order } = matrix;
  for (let row = 0; row < size; row++) {
    const from = start + row * ofRow;
    for (let lane = 0; lane < lanes; lane++) tile[row * LANES + lane] = x[from + lane * ofLane] as number;
  }
  transform(tile, matrix.sylvester * LANES);
  const rotated = order === 1 ? tile : multiplyByCore(matrix, tile, scratch);
  const norm = 1 / Math.sqrt(size);
  for (let row = 0; row < size; row++) {
    const to = start + row * ofRow;
    for (let lane = 0; lane < lanes; lane++) out[to + lane * ofLane] = (rotated[row * LANES + lane] as number) * norm;
  }
}

/** The Walsh-Hadamard transform of every run of `length` elements, lanes apart, in place; two steps in one pass as long as two are left. */
function transform(tile: Float64Array, length: number): void {
  let half = LANES;
  for (; 4 * half <= length; half *= 4) {
    for (let start = 0; start < tile.length; start += 4 * half) {
      for (let i = start, j = start + half, k = j + half, l = k + half; i < start + half; i++, j++, k++, l++) {
        const a = (tile[i] as number) + (tile[j] as number);
        const b = (tile[i] as number) - (tile[j] as number);
        const c = (tile[k] as number) + (tile[l] as number);
        const d = (tile[k] as number) - (tile[l] as number);
        tile[i] = a + c;
        tile[j] = b + d;
        tile[k] = a - c;
        tile[l] = b - d;
      }
    }
  }
  if (half === length) return;
  for (let start = 0; start < tile.length; start += 2 * half) {
    for (let i = start, j = start + half; i < start + half; i++, j++) {
      const a = tile[i] as number;
      const b = tile[j] as number;
      tile[i] = a + b;
      tile[j] = a - b;
    }
  }
}

/** out[j] = Σ core[i,j] tile[i] over runs of `sylvester` rows, four i at a time: the order of a core is a multiple of four. */
function multiplyByCore({ order, core, sylvester }: Hadamard, tile: Float64Array, out: Float64Array): Float64Array {
  const run = sylvester * LANES;
  out.fill(0);
  for (let i = 0; i < order; i += 4) {
    for (let j = 0; j < order; j++) {
      const [p, q, r, s] = [0, 1, 2, 3].map((k) => core[(i + k) * order + j] as number) as [number, number, number, number];
      for (let to = j * run, a = i * run, b = a + run, c = b + run, d = c + run, end = to + run; to < end; to++, a++, b++, c++, d++) {
        (out[to] as number) += p * (tile[a] as number) + q * (tile[b] as number) + (r * (tile[c] as number) + s * (tile[d] as number));
      }
    }
  }
  return out;
}
