/** Matrices of seeded uniform numbers in [-1, 1). */
export function randomMatrix(rows, columns, seed = 1) {
  let state = seed;
  return new Float32Array(rows * columns).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}
