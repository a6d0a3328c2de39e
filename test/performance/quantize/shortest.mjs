/** Times works that are compared with each other: in turns, so that a busy moment of the machine meets all of them. */

/**
 * Shortest seconds of each work over `repeats` rounds, after one that only warms up.
 * @param works functions that may be async
 * @param prepare what each of them needs done before, outside of its time; may be async
 */
export async function shortest(works, repeats, prepare = () => {}) {
  const best = works.map(() => Infinity);
  for (let round = 0; round <= repeats; round++) {
    for (const [i, work] of works.entries()) {
      await prepare();
      const started = performance.now();
      await work();
      if (round > 0) best[i] = Math.min(best[i], (performance.now() - started) / 1000);
    }
  }
  return best;
}

/** Rounds for a work of so many operations: many where a round is short. */
export function roundsFor(operations) {
  if (operations > 5e11) return 2;
  return operations > 5e10 ? 5 : 12;
}
