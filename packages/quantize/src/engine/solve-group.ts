/** Codes and scales of the linear layers that read one input, from its statistics: the chain of techniques that a recipe names. */
import { setImmediate } from 'node:timers/promises';
import type { LpbqScales, ScaleGrid } from '@tundish/native';
import type { Technique } from '@tundish/recipe/technique';
import { lpbqGrid } from '../lpbq/compress-scales.js';
import { gptaq } from '../techniques/gptaq/gptaq.js';
import { type GramFactor, factorGram, stepOrder } from '../techniques/gptq/factor.js';
import { gptq } from '../techniques/gptq/gptq.js';
import { searchLpbqGrid } from '../techniques/lpbq-grid/lpbq-grid.js';
import { polish } from '../techniques/polish/polish.js';
import { seqMse } from '../techniques/seqmse/seqmse.js';
import { correctionOf } from '../techniques/target-correction/target-correction.js';
import type { Compute, LayerWeight } from '../techniques/weight-matrix.js';
import { type GroupMoments, referenceProducts } from './group-statistics.js';
import { Judge } from './judge.js';

/** Part of the correction where no token is held out. */
const CAUTIOUS_PART = 0.5;

export interface GroupLayer {
  /** Name of the weight, for the report. */
  readonly name: string;
  readonly weight: LayerWeight;
}

/** What was done to one weight and what came of it. */
export interface LayerReport {
  readonly name: string;
  /** |E X|² / |W X|² on held-out tokens (on all where none are held out): relative output error of the rounding. */
  readonly error: number;
  /** The same for rounding to nearest on the same scales. */
  readonly nearestError: number;
  /** Part of the target correction that was taken. */
  readonly correction?: number;
  /** Damping that the factor needed, in parts of the mean diagonal. */
  readonly damping?: number;
  /** |Y - Yf|² / |Yf|² of the whole block on held-out tokens: of the codes that were solved, and of those that a refinement learned. */
  readonly refinement?: { readonly before: number; readonly after: number };
  readonly warnings: readonly string[];
}

export interface SolvedLayer {
  readonly scales: LpbqScales;
  /** int8 [n, k], -8..7. */
  readonly codes: Int8Array;
  readonly report: LayerReport;
  /** fp32 [n, k] that the codes stand for, where a refinement goes on from there: the weight, or the corrected one. */
  readonly target?: Float32Array;
}

export interface GroupRequest {
  readonly compute: Compute;
  readonly options: Technique;
  readonly blockSize: number;
  readonly layers: readonly GroupLayer[];
  readonly moments: GroupMoments;
  readonly signal: AbortSignal;
}

/** In the order of the layers. Held-out tokens decide and are never learned from. */
export async function solveGroup(request: GroupRequest): Promise<SolvedLayer[]> {
  const { options, layers, signal } = request;
  const factor = needsFactor(options) ? factorOf(request) : undefined;
  const solved: SolvedLayer[] = [];
  for (const layer of layers) {
    await setImmediate();
    signal.throwIfAborted();
    solved.push(solveLayer(request, layer, factor));
  }
  return solved;
}

function needsFactor({ rounding, correction }: Technique): boolean {
  return rounding.method !== 'nearest' || correction !== 0;
}

function factorOf({ compute, options: { rounding }, moments: { k, train } }: GroupRequest): GramFactor | undefined {
  const { damping, actOrder } = rounding.method === 'nearest' ? { damping: 0.01, actOrder: true } : rounding;
  return factorGram(compute, train.gram, stepOrder(train.gram, k, actOrder), damping);
}

function solveLayer(request: GroupRequest, { name, weight }: GroupLayer, factor: GramFactor | undefined): SolvedLayer {
  const { compute, options, moments: { train, heldOut } } = request;
  const warnings: string[] = [];
  const scales = scalesOf(request, weight);
  const grid = lpbqGrid(scales, weight.k);
  const judge = new Judge(compute, request.moments, weight, grid);
  const nearest = compute.kernels.solvers.roundToGrid({ ...weight, threads: compute.threads }, grid);
  if (needsFactor(options) && factor === undefined) warnings.push('the inputs are all zero, or not finite: rounded to nearest');
  const target = factor === undefined ? { weight, part: 0 } : correctedTarget(request, weight, factor, judge);
  let codes = factor === undefined ? nearest : roundedCodes(request, target.weight, grid, factor);
  if (options.polish > 0) polish(compute, target.weight, grid, train.gram, codes = codes.slice(), options.polish);
  if (factor !== undefined && options.rounding.method !== 'nearest' && factor.damping > options.rounding.damping) warnings.push(`damping was raised from ${options.rounding.damping} to ${factor.damping}: the inputs lie in fewer dimensions than they have`);
  if (needsFactor(options) && train.tokens < weight.k) warnings.push(`${train.tokens} calibration tokens for ${weight.k} inputs: give at least as many tokens as inputs`);
  const nearestError = judge.error(nearest);
  let error = judge.error(codes);
  if (heldOut !== undefined && error.loss > nearestError.loss) {
    warnings.push('held-out tokens like rounding to nearest better: it was taken');
    [codes, error] = [nearest, nearestError];
  }
  return { scales, codes, ...(options.refine.method === 'signround' ? { target: target.weight.w } : {}), report: { name, error: error.rounding, nearestError: nearestError.rounding, ...(options.correction === 0 ? {} : { correction: target.part }), ...(factor === undefined ? {} : { damping: factor.damping }), warnings } };
}

/** The weight moved toward what the float model gives: as far as the recipe says, or as held-out tokens like best. */
function correctedTarget({ compute, options, moments }: GroupRequest, weight: LayerWeight, factor: GramFactor, judge: Judge): { readonly weight: LayerWeight; readonly part: number } {
  const { train, heldOut } = moments;
  const reference = options.correction === 0 ? undefined : referenceProducts(compute, moments, train, weight.w);
  if (reference === undefined) return { weight, part: 0 };
  const correction = correctionOf(compute, weight, factor, { gram: train.gram, reference });
  const part = options.correction !== 'heldOut' ? options.correction : heldOut === undefined ? CAUTIOUS_PART : judge.bestPart(correction);
  return { weight: part === 0 ? weight : { ...weight, w: weight.w.map((value, i) => value + part * (correction[i] as number)) }, part };
}

function scalesOf({ compute, options: { scales }, blockSize, moments: { reference, train: { gram, cross } } }: GroupRequest, weight: LayerWeight): LpbqScales {
  const { w, n, k } = weight;
  switch (scales.search) {
    case 'minmax':
      return compute.kernels.solvers.searchLpbq({ w, n, k, block: blockSize, gram: undefined, factors: new Float32Array(), threads: compute.threads });
    case 'grid':
      return searchLpbqGrid(compute, weight, { blockSize, factors: scales.factors, weighting: scales.weighting === 'diagonal' ? 'diagonal' : 'blocks', ...(scales.weighting === 'none' ? {} : { gram }) });
    case 'seqmse':
      return seqMse(compute, weight, { blockSize, candidates: scales.candidates, start: scales.start, gram, ...(scales.inputs === 'float' && reference.kind === 'inputs' && cross !== undefined ? { cross } : {}) });
  }
}

function roundedCodes({ compute, options: { rounding }, moments: { reference, train: { gram, cross } } }: GroupRequest, target: LayerWeight, grid: ScaleGrid, factor: GramFactor): Int8Array {
  if (rounding.method === 'gptq') return gptq(compute, target, grid, factor);
  if (rounding.method === 'gptaq' && cross !== undefined && reference.kind === 'inputs') {
    return gptaq(compute, target, grid, factor, cross.map((value, i) => value - (gram[i] as number)), rounding.alpha);
  }
  return compute.kernels.solvers.roundToGrid({ ...target, threads: compute.threads }, grid);
}
