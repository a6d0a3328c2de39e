/** Decides which graph runs next: AR, CL, how many tokens, and at which stride the cache is afterwards. */

export interface PassState {
  /** Tokens in the cache. */
  readonly position: number;
  /** CL of the last pass: it never shrinks until a reset. */
  readonly contextLength: number;
}

export interface Pass {
  readonly ar: number;
  readonly cl: number;
  /** Tokens that this pass takes, at most `ar`. */
  readonly count: number;
  /** Positions per cache row once the new tokens are written. */
  readonly stride: number;
}

/**
 * A pass takes about as long as this share of its AR in single steps (a pass of 128 tokens about as long as 16 to 20 steps on
 * a CPU), whatever it is filled with: fewer tokens are faster in smaller passes.
 */
const WORTHWHILE = 1 / 8;

/**
 * A step of prefill: the largest AR that is worth its time, and the smallest CL that has room for the past and the new tokens.
 *
 * At the end of the largest CL the new tokens no longer fit beside an AR-wide block: they are then written at the stride of
 * the smallest AR, and when even the past does not fit, smaller ARs take over. So CL_max - AR_min positions can be used.
 *
 * @param ars ascending
 * @param contextLengths ascending
 * @param remaining tokens still to be processed, such that position + remaining <= capacity
 */
export function prefillPass(ars: readonly number[], contextLengths: readonly number[], state: PassState, remaining: number): Pass {
  const largest = contextLengths[contextLengths.length - 1] as number;
  for (const ar of [...ars].reverse().filter((size) => size === ars[0] || remaining > size * WORTHWHILE)) {
    const count = Math.min(ar, remaining);
    const cl = contextLengths.find((c) => c >= state.contextLength && c - ar >= state.position + count);
    if (cl !== undefined) return { ar, cl, count, stride: cl - ar };
    if (largest - ar >= state.position) return { ar, cl: largest, count, stride: capacityOf(ars, contextLengths) };
  }
  return decodePass(ars, contextLengths, state);
}

/** A step of decode: one token at the smallest AR. */
export function decodePass(ars: readonly number[], contextLengths: readonly number[], state: PassState): Pass {
  return prefillPass(ars.slice(0, 1), contextLengths, state, 1);
}

/** Tokens that a cache can hold: CL_max - AR_min. */
export function capacityOf(ars: readonly number[], contextLengths: readonly number[]): number {
  return (contextLengths[contextLengths.length - 1] as number) - (ars[0] as number);
}
