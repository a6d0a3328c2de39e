/** Hadamard matrices of the sizes that models have: H [n,n] of +1 and -1 with H Hᵀ = n I. */
import { graphError } from '../errors.js';

/** H = core ⊗ S, where S is the Walsh-Hadamard matrix (Sylvester) of size `sylvester` in natural order. */
export interface Hadamard {
  /** n = order * sylvester. */
  readonly size: number;
  /** Rows of the core; 1 for powers of two. */
  readonly order: number;
  /** [order, order], row-major, +1 and -1. */
  readonly core: Int8Array;
  /** A power of two. */
  readonly sylvester: number;
}

/** A core is applied densely: a larger one would cost more than the layer whose weight is rotated is worth. */
const LARGEST_CORE = 1024;

/**
 * The construction with the smallest core: 1 (Sylvester), q + 1 for a prime q = 3 mod 4 (Paley I), 2 (q + 1) for a prime
 * q = 1 mod 4 (Paley II). Paley, "On orthogonal matrices", 1933.
 *
 * @throws GRAPH_HADAMARD when there is none
 */
export function hadamard(size: number): Hadamard {
  const found = findHadamard(size);
  if (found !== undefined) return found;
  throw graphError('GRAPH_HADAMARD', {
    what: `there is no Hadamard matrix of size ${size}`,
    why: `the size has to be a power of two times 1, q + 1 with a prime q = 3 mod 4, or 2 (q + 1) with a prime q = 1 mod 4, that factor up to ${LARGEST_CORE}`,
    fix: 'leave out the rotation of this size',
  });
}

/** As `hadamard`; undefined where there is none. */
export function findHadamard(size: number): Hadamard | undefined {
  if (!Number.isSafeInteger(size) || size < 1) return undefined;
  let sylvester = 1;
  while (size % (2 * sylvester) === 0) sylvester *= 2;
  for (; sylvester >= 1; sylvester /= 2) {
    const order = size / sylvester;
    const core = order > LARGEST_CORE ? undefined : coreOf(order);
    if (core !== undefined) return { size, order, core, sylvester };
  }
  return undefined;
}

function coreOf(order: number): Int8Array | undefined {
  if (order === 1) return Int8Array.of(1);
  if (order % 4 === 0 && isPrime(order - 1)) return firstPaley(order - 1);
  if (order % 4 === 0 && (order / 2 - 1) % 4 === 1 && isPrime(order / 2 - 1)) return secondPaley(order / 2 - 1);
  return undefined;
}

/** I + S with the skew conference matrix S of q. */
function firstPaley(q: number): Int8Array {
  const core = conference(q, -1);
  for (let i = 0; i <= q; i++) core[i * (q + 2)] = 1;
  return core;
}

/** The symmetric conference matrix of q with 0 replaced by [[1,-1],[-1,-1]] and ±1 by ±[[1,1],[1,-1]]. */
function secondPaley(q: number): Int8Array {
  const half = q + 1;
  const source = conference(q, 1);
  const core = new Int8Array(4 * half * half);
  source.forEach((entry, at) => {
    const [i, j] = [Math.floor(at / half), at % half];
    const block = entry === 0 ? [1, -1, -1, -1] : [entry, entry, entry, -entry];
    block.forEach((sign, k) => (core[(2 * i + (k >> 1)) * 2 * half + 2 * j + (k & 1)] = sign));
  });
  return core;
}

/** [q+1,q+1], zero on the diagonal: ones above, `left` on the left, and inside the quadratic character of i - j modulo q. */
function conference(q: number, left: 1 | -1): Int8Array {
  const character = new Int8Array(q).fill(-1);
  character[0] = 0;
  for (let i = 1; i < q; i++) character[(i * i) % q] = 1;
  const matrix = new Int8Array((q + 1) * (q + 1));
  for (let i = 0; i <= q; i++) {
    for (let j = 0; j <= q; j++) {
      if (i !== j) matrix[i * (q + 1) + j] = i === 0 ? 1 : j === 0 ? left : (character[(i - j + q) % q] as number);
    }
  }
  return matrix;
}

function isPrime(n: number): boolean {
  if (n < 2) return false;
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return true;
}
