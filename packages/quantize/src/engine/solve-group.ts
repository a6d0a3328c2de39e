/** Codes and scales of the linear layers that read one input, from its statistics: the chain of techniques that a recipe names. */
import { setImmediate } from 'node:timers/promises';
import type { ScaleGrid } from '@tundish/native';
import type { Technique } from '@tundish/recipe/technique';
import type { WeightScheme } from '@tundish/recipe/weight-scheme';
import { copyFloats, releasing } from '../float-stack.js';
import { gptaq } from '../techniques/gptaq/gptaq.js';
import { type GramFactor, factorGram, solveDamped, stepOrder } from '../techniques/gptq/factor.js';
import { gptq } from '../techniques/gptq/gptq.js';
import { polish } from '../techniques/polish/polish.js';
import { type Compute, type LayerWeight, dequantize, timesSquare } from '../techniques/weight-matrix.js';
import { type FoundScales, findScales } from './find-scales.js';
import type { GroupMoments } from './group-statistics.js';
import { Judge } from './judge.js';

/** Part of the correction where no token is held out. */
const CAUTIOUS_PART = 0.5;

export interface GroupLayer {
  /** Name of the weight, for the report. */
  readonly name: string;
  readonly weight: LayerWeight;
  readonly scheme: WeightScheme;
}

/** What was done to one weight and what came of it. */
export interface LayerReport {
  readonly name: string;
  /** |E X|² / |W X|², estimated on held-out tokens (on all where none are held out): relative output error of the rounding. */
  readonly error: number;
  /** The same for rounding to nearest on the same scales. */
  readonly nearestError: number;
  /** Part of the target correction that was taken. */
  readonly correction?: number;
  /** Exponent of the smoothing of its group; absent where the chain has none. */
  readonly smoothing?: number;
  /** Damping that the factor needed, in parts of the mean diagonal. */
  readonly damping?: number;
  /** Part of what leaves the block that the rounding of this layer alone changes, |Y' - Y|² / |Y|², on held-out windows (on all where none are held out); measured where layers are raised by it. */
  readonly sensitivity?: number;
  /** |Y - Yf|² / |Yf|² of the whole block on held-out tokens: of the codes that were solved, and of those that a refinement learned. */
  readonly refinement?: { readonly before: number; readonly after: number };
  readonly warnings: readonly string[];
}

export interface SolvedLayer {
  readonly scales: FoundScales;
  /** int8 [n, k]. */
  readonly codes: Int8Array;
  readonly report: LayerReport;
  /** fp32 [n, k] that the codes stand for, where a refinement goes on from there: the weight, or the corrected one. */
  readonly target?: Float32Array;
}

export interface GroupRequest {
  readonly compute: Compute;
  readonly options: Technique;
  readonly layers: readonly GroupLayer[];
  readonly moments: GroupMoments;
  readonly signal: AbortSignal;
}

/** In the order of the layers. Held-out tokens decide and are never learned from. */
export async function solveGroup(request: GroupRequest): Promise<SolvedLayer[]> {
  const { compute: { stack }, options, layers, signal } = request;
  const mark = stack?.mark;
  const factor = needsFactor(options) ? factorOf(request) : undefined;
  const correct = factor === undefined ? undefined : correctionsOf(request, factor);
  const solved: SolvedLayer[] = [];
  for (const layer of layers) {
    await setImmediate();
    signal.throwIfAborted();
    solved.push(releasing(stack, () => solveLayer(request, layer, factor, correct)));
  }
  stack?.release(mark);
  return solved;
}

function needsFactor({ rounding, correction }: Technique): boolean {
  return rounding.method !== 'nearest' || correction !== 0;
}

function factorOf({ compute, options: { rounding }, moments: { k, train } }: GroupRequest): GramFactor | undefined {
  const { damping, actOrder } = rounding.method === 'nearest' ? { damping: 0.01, actOrder: true } : rounding;
  return factorGram(compute, train.gram, stepOrder(train.gram, k, actOrder), damping);
}

function solveLayer(request: GroupRequest, { name, weight, scheme }: GroupLayer, factor: GramFactor | undefined, correct: Corrections | undefined): SolvedLayer {
  const { compute, options, moments: { train, judged } } = request;
  const warnings: string[] = [];
  const scales = findScales(compute, options, scheme, weight, request.moments);
  const { grid } = scales;
  const judge = new Judge(compute, request.moments, weight, grid);
  const nearest = compute.kernels.solvers.roundToGrid({ ...weight, threads: compute.threads }, grid);
  if (needsFactor(options) && factor === undefined) warnings.push('the inputs are all zero, or not finite: rounded to nearest');
  const target = correct === undefined ? { weight, part: 0 } : correctedTarget(request, weight, correct, judge);
  let codes = factor === undefined ? nearest : roundedCodes(request, target.weight, grid, factor);
  if (options.polish > 0) polish(compute, target.weight, grid, train.gram, codes = codes.slice(), options.polish);
  if (factor !== undefined && options.rounding.method !== 'nearest' && factor.damping > options.rounding.damping) warnings.push(`damping was raised from ${options.rounding.damping} to ${factor.damping}: the inputs lie in fewer dimensions than they have`);
  if (needsFactor(options) && train.tokens < weight.k) warnings.push(`${train.tokens} calibration tokens for ${weight.k} inputs: give at least as many tokens as inputs`);
  const nearestError = judge.error(nearest);
  let error = codes === nearest ? nearestError : judge.error(codes);
  if (judged.heldOut && error.loss > nearestError.loss) {
    warnings.push('held-out tokens like rounding to nearest better: it was taken');
    [codes, error] = [nearest, nearestError];
  }
  return { scales, codes, ...(options.refine.method === 'signround' ? { target: target.weight === weight ? weight.w : target.weight.w.slice() } : {}), report: { name, error: error.rounding, nearestError: nearestError.rounding, ...(options.correction === 0 ? {} : { correction: target.part }), ...(factor === undefined ? {} : { damping: factor.damping }), warnings } };
}

/** W* - W of a layer of the group, fp32 [n, k]. */
type Corrections = (weight: LayerWeight) => Float32Array;

/** Target corrections under the damping of the factor; undefined where the chain has none. */
function correctionsOf({ compute, options, moments: { reference, train: { beyond } } }: GroupRequest, factor: GramFactor): Corrections | undefined {
  if (options.correction === 0 || beyond === undefined) return undefined;
  // W* - W is (Yf - X W')'X (H + damping)^-1, or W (Xf - X)'X (H + damping)^-1: there what follows W is the same for all layers, which have more rows than it.
  // Solved in place, and GPTAQ reads what the float model has beyond once more.
  const solved = copyFloats(compute.stack, beyond);
  solveDamped(compute, factor, solved);
  return reference.kind === 'outputs' ? () => solved : ({ w, n, k }) => timesSquare(compute, w, solved, n, k);
}

/** The weight moved toward what the float model gives: as far as the recipe says, or as held-out tokens like best. */
function correctedTarget({ options, moments }: GroupRequest, weight: LayerWeight, correct: Corrections, judge: Judge): { readonly weight: LayerWeight; readonly part: number } {
  const correction = correct(weight);
  const part = options.correction !== 'heldOut' ? options.correction : moments.judged.heldOut ? judge.bestPart(correction) : CAUTIOUS_PART;
  if (part === 0) return { weight, part };
  for (let i = 0; i < correction.length; i++) correction[i] = (weight.w[i] as number) + part * (correction[i] as number);
  return { weight: { ...weight, w: correction }, part };
}

/** What rounding to nearest makes of a layer on the scales that the chain finds for it: fp32 [n, k]. */
export function nearestValues({ compute, options, moments }: Pick<GroupRequest, 'compute' | 'options' | 'moments'>, { weight, scheme }: Pick<GroupLayer, 'weight' | 'scheme'>): Float32Array {
  const { grid } = findScales(compute, options, scheme, weight, moments);
  return dequantize(compute, compute.kernels.solvers.roundToGrid({ ...weight, threads: compute.threads }, grid), grid);
}

function roundedCodes({ compute, options: { rounding }, moments: { reference, train: { beyond } } }: GroupRequest, target: LayerWeight, grid: ScaleGrid, factor: GramFactor): Int8Array {
  if (rounding.method === 'gptq') return gptq(compute, target, grid, factor);
  if (rounding.method === 'gptaq' && beyond !== undefined && reference.kind === 'inputs') return gptaq(compute, target, grid, factor, beyond, rounding.alpha);
  return compute.kernels.solvers.roundToGrid({ ...target, threads: compute.threads }, grid);
}
