/** The graphs of a recipe: pairs (AR x CL), cells (pair x part) and parts, with the names that projects and folders carry. */

/** The lists of `graphs`, resolved. */
export interface GraphPlan {
  readonly ar: readonly number[];
  readonly cl: readonly number[];
  readonly parts: number;
}

/** One AR with one CL: what the arcl stage makes. */
export interface Pair {
  /** `ar1-cl512`. */
  readonly name: string;
  readonly ar: number;
  readonly cl: number;
}

/** One graph: a part of a pair; `part` is 1-based. */
export interface Cell {
  /** `ar1-cl512-1of2`. */
  readonly name: string;
  readonly ar: number;
  readonly cl: number;
  readonly part: number;
  readonly parts: number;
}

/** One part: the cells that share its weights, for one chip. */
export interface Part {
  /** `part1of2`; for a chip `part1of2-sm8750`. */
  readonly name: string;
  readonly chip?: string;
  readonly part: number;
  readonly parts: number;
  /** Names of its cells, AR ascending, then CL ascending. */
  readonly cells: readonly string[];
}

/** All pairs, AR ascending, then CL ascending. */
export function planPairs(plan: Pick<GraphPlan, 'ar' | 'cl'>): Pair[] {
  const cl = ascending(plan.cl);
  return ascending(plan.ar).flatMap((ar) => cl.map((length) => ({ name: `ar${ar}-cl${length}`, ar, cl: length })));
}

/** All cells, AR ascending, then CL, then part. */
export function planCells(plan: GraphPlan): Cell[] {
  return planPairs(plan).flatMap((pair) => partNumbers(plan).map((part) => ({ ...pair, name: `${pair.name}-${part}of${plan.parts}`, part, parts: plan.parts })));
}

/** All parts, ascending, of each chip. @param chips that the parts are compiled for, by name; none for a host */
export function planParts(plan: GraphPlan, chips: readonly string[] = []): Part[] {
  const cells = planCells(plan);
  const partsOf = (chip: string | undefined): Part[] => partNumbers(plan).map((part) => ({
    name: `part${part}of${plan.parts}${chip === undefined ? '' : `-${chip.toLowerCase()}`}`,
    ...(chip === undefined ? {} : { chip }),
    part,
    parts: plan.parts,
    cells: cells.filter((cell) => cell.part === part).map((cell) => cell.name),
  }));
  return chips.length > 0 ? chips.flatMap(partsOf) : partsOf(undefined);
}

function partNumbers(plan: GraphPlan): number[] {
  return Array.from({ length: plan.parts }, (_, i) => i + 1);
}

function ascending(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}
