/** Chooses the odd AR and CL of a base graph, so that AR/CL conversion can tell them from every other number. */
import { architectureError } from './errors.js';

/** Tokens a pass and attention length of a graph. */
export interface GraphSize {
  readonly ar: number;
  readonly cl: number;
}

/** The bases that Qualcomm's own recipes export with come first, so graphs of both tools can be compared. */
const VENDOR_BASES: readonly GraphSize[] = [
  { ar: 2073, cl: 4173 },
  { ar: 4073, cl: 8273 },
];
const CANDIDATES = 2000;
const MAX_FACTORS = 3;
const LISTED = 12;

/**
 * The first base whose AR, CL and CL-AR are free: not a size of the model, not a product of up to three of them, and
 * dividing none of them (a weight of 3·AR rows could be a flattened axis).
 *
 * @param sizes every dimension, attribute and constant of the graph that does not depend on AR or CL
 * @throws ARCHITECTURE_BASE_TAKEN
 */
export function chooseBase(sizes: readonly number[]): GraphSize {
  const known = [...new Set(sizes)].filter((size) => size > 1).sort((a, b) => a - b);
  const products = productsOf(known);
  for (let i = 0; i < CANDIDATES; i++) {
    const base = candidate(i);
    if (isFree(base, known, products)) return base;
  }
  throw architectureError('ARCHITECTURE_BASE_TAKEN', {
    what: 'no base AR and CL is free of the sizes of this model',
    why: `AR, CL and CL-AR must not be made of its ${known.length} sizes (${known.slice(0, LISTED).join(', ')}, …); ${CANDIDATES} pairs were tried`,
  });
}

function candidate(i: number): GraphSize {
  return VENDOR_BASES[i] ?? { ar: 2073 + 14 * i, cl: 4173 + 30 * i };
}

/** @throws ARCHITECTURE_SIZE_INVALID unless 1 <= AR < CL: a pass without any past column has no cache to read */
export function checkedSize(size: GraphSize): GraphSize {
  if (Number.isSafeInteger(size.ar) && Number.isSafeInteger(size.cl) && size.ar >= 1 && size.ar < size.cl) return size;
  throw architectureError('ARCHITECTURE_SIZE_INVALID', {
    what: `a graph cannot have AR ${size.ar} and CL ${size.cl}`,
    why: 'both are whole numbers and 1 <= AR < CL',
  });
}

function isFree({ ar, cl }: GraphSize, known: readonly number[], products: ReadonlySet<number>): boolean {
  const marks = [ar, cl, cl - ar];
  const apart = marks.every((a, i) => marks.every((b, j) => i === j || a % b !== 0));
  return apart && marks.every((mark) => !products.has(mark) && known.every((size) => size % mark !== 0));
}

/** Products of sorted sizes, up to the largest number that a candidate can have. */
function productsOf(known: readonly number[]): ReadonlySet<number> {
  const largest = candidate(CANDIDATES).cl;
  const products = new Set<number>([1]);
  for (let factors = 0; factors < MAX_FACTORS; factors++) {
    for (const product of [...products]) {
      for (const size of known) {
        if (product * size > largest) break;
        products.add(product * size);
      }
    }
  }
  return products;
}
