/** Exit codes of `tundish`. */

/** 0 success; 1 the verb's own "no" (parity does not hold); 2 wrong usage; 3 a failure with a code; 130 interrupted. */
export const EXIT = { ok: 0, no: 1, usage: 2, failed: 3, interrupted: 130 } as const;
