/** How far each kind of operation may be from exact arithmetic, in codes of its output: measured, times 1.2 to 2 (docs/fidelity.md). */

/** An element may be off by `max` + `relative` * its code, the elements of an operation by `bias` on average. */
export interface Gate {
  readonly max: number;
  readonly relative: number;
  readonly bias: number;
}

/** Products of sums: the processor drops the low 8 bits of the sum, which costs 128 units on average and 256 at most. */
const PRODUCTS: ReadonlySet<string> = new Set(['Conv2d', 'MatMul']);

const EXACT: Gate = { max: 0, relative: 0, bias: 0 };

const GATES: Readonly<Record<string, Gate>> = {
  RmsNorm: { max: 1.1, relative: 0, bias: 0.55 },
  Softmax: { max: 8, relative: 0.003, bias: 0.5 },
  Sigmoid: { max: 8, relative: 0, bias: 1.5 },
  ElementWiseAdd: { max: 2, relative: 0, bias: 0.3 },
  ElementWiseSubtract: { max: 2, relative: 0, bias: 0.3 },
  ElementWiseMultiply: { max: 2, relative: 0, bias: 0.3 },
  RotaryEmbedding: { max: 1, relative: 0, bias: 0.15 },
  Convert: { max: 1, relative: 0, bias: 0.1 },
  Concat: EXACT, Gather: EXACT, Reshape: EXACT, StridedSlice: EXACT, Transpose: EXACT,
};

/** Scores plus the mask, whose steps are far wider than theirs. */
const MASKED: Gate = { max: 5, relative: 0, bias: 0.3 };

/** Convert from one grid of 16 bits to another multiplies by a rounded factor. */
const REGRIDDED: Gate = { max: 1, relative: 0, bias: 0.2 };

/** Of half floats, in shares of the root mean square of the output: rounding alone costs half of 2^-10 of each value. */
const ROUNDED: Gate = { max: 0.002, relative: 0.0006, bias: 0.0002 };
const HALF_GATES: Readonly<Record<string, Gate>> = {
  Conv2d: ROUNDED, Dequantize: ROUNDED, ElementWiseAdd: ROUNDED, ElementWiseMultiply: ROUNDED, ElementWiseSubtract: ROUNDED,
  MatMul: ROUNDED, RmsNorm: ROUNDED, Sigmoid: ROUNDED,
  Softmax: { max: 0.005, relative: 0.015, bias: 0.0015 },
};

/** A unit of the integer sum above this many codes of the output costs visible precision. */
export const LARGEST_UNIT = 0.02;

export interface GateQuestion {
  /** Codes of the output that one unit of the sum of products is worth, of the worst channel. */
  readonly unit: number | undefined;
  /** Whether the mask is added. */
  readonly masks: boolean;
  /** Whether codes of 16 bits come out. */
  readonly wide: boolean;
  /** Whether half floats come out. */
  readonly half: boolean;
}

/** @param type the vendor's name of the operation */
export function gateOf(type: string, { unit, masks, wide, half }: GateQuestion): Gate {
  if (half) return HALF_GATES[type] ?? EXACT;
  if (PRODUCTS.has(type) && unit !== undefined) return { max: 2 + 400 * unit, relative: 0, bias: 0.1 + 170 * unit };
  if (masks) return MASKED;
  if (type === 'Convert' && wide) return REGRIDDED;
  return GATES[type] ?? EXACT;
}
