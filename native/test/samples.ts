/** Seeded arrays that provoke rounding: ties, signed zeros, subnormals, one-sided and dead rows, wide exponents. */

export type Flavour = 'weights' | 'ties' | 'subnormal' | 'wide' | 'special';
export const FLAVOURS: readonly Flavour[] = ['weights', 'ties', 'subnormal', 'wide', 'special'];

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** Numerical Recipes' 32-bit generator, scrambled: fast, seeded, good enough to cover cases. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.imul(state ^ (state >>> 16), 0x45d9f3b) >>> 0;
  };
}

export function sample(seed: number, length: number, flavour: Flavour): Float32Array {
  const next = generator(seed);
  return Float32Array.from({ length }, () => element(next, flavour));
}

/** Codes of the full grid of so many bits. */
export function randomCodes(seed: number, length: number, bits = 4): Int8Array {
  const next = generator(seed);
  return Int8Array.from({ length }, () => ((next() >>> 8) % 2 ** bits) - 2 ** (bits - 1));
}

/** Any bit pattern but NaN and infinity. */
export function finiteFloat(next: () => number): number {
  do bits[0] = next();
  while (!Number.isFinite(value[0]));
  return value[0] as number;
}

function element(next: () => number, flavour: Flavour): number {
  const uniform = next() / 2 ** 31 - 1;
  switch (flavour) {
    case 'weights':
      return next() % 50 === 0 ? uniform : uniform * 0.05;
    case 'ties':
      return ((next() % 33) - 16) / 4;
    case 'subnormal':
      return next() % 8 === 0 ? uniform * 2 ** -120 : uniform * 2 ** -135;
    case 'wide':
      return finiteFloat(next);
    case 'special':
      return [NaN, Infinity, -Infinity, -0, 0][next() % 40] ?? uniform;
  }
}
