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
import { type ReferenceStatistics, bestPart, correctionOf } from '../techniques/target-correction/target-correction.js';
import type { Compute, LayerWeight } from '../techniques/weight-matrix.js';
import { type GroupMoments, type PartStatistics, referenceProducts, takeAll } from './group-statistics.js';
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
  readonly warnings: readonly string[];
}

export interface SolvedLayer {
  readonly scales: LpbqScales;
  /** int8 [n, k], -8..7. */
  readonly codes: Int8Array;
  readonly report: LayerReport;
}

export interface GroupRequest {
  readonly compute: Compute;
  readonly options: Technique;
  readonly blockSize: number;
  readonly layers: readonly GroupLayer[];
  readonly moments: GroupMoments;
  readonly signal: AbortSignal;
}

/** In the order of the layers. The moments are changed: held-out tokens join once the choices are made. */
export async function solveGroup(request: GroupRequest): Promise<SolvedLayer[]> {
  const { layers, moments, signal } = request;
  const parts = await chooseParts(request);
  const all = takeAll(moments);
  const factor = needsFactor(request.options) ? factorOf(request, all) : undefined;
  const solved: SolvedLayer[] = [];
  for (const [index, layer] of layers.entries()) {
    await setImmediate();
    signal.throwIfAborted();
    solved.push(solveLayer(request, layer, all, factor, parts[index] as number));
  }
  return solved;
}

function needsFactor({ rounding, correction }: Technique): boolean {
  return rounding.method !== 'nearest' || correction !== 0;
}

function factorOf({ compute, options: { rounding }, moments: { k } }: GroupRequest, { gram }: PartStatistics): GramFactor | undefined {
  const { damping, actOrder } = rounding.method === 'nearest' ? { damping: 0.01, actOrder: true } : rounding;
  return factorGram(compute, gram, stepOrder(gram, k, actOrder), damping);
}

/** For each layer how much of the correction to take: made of one part of the tokens, judged by the other. */
async function chooseParts(request: GroupRequest): Promise<readonly number[]> {
  const { compute, options: { correction }, layers, moments, signal } = request;
  if (correction !== 'heldOut') return layers.map(() => correction);
  const { train, heldOut } = moments;
  if (heldOut === undefined) return layers.map(() => CAUTIOUS_PART);
  const factor = factorOf(request, train);
  if (factor === undefined) return layers.map(() => 0);
  const parts: number[] = [];
  for (const { weight } of layers) {
    await setImmediate();
    signal.throwIfAborted();
    const [learned, judged] = [train, heldOut].map((part) => ({ gram: part.gram, reference: referenceProducts(compute, moments, part, weight.w) as Float32Array })) as [ReferenceStatistics, ReferenceStatistics];
    parts.push(bestPart(compute, weight, correctionOf(compute, weight, factor, learned), judged));
  }
  return parts;
}

function solveLayer(request: GroupRequest, { name, weight }: GroupLayer, all: PartStatistics, factor: GramFactor | undefined, part: number): SolvedLayer {
  const { compute, options, moments } = request;
  const warnings: string[] = [];
  const scales = scalesOf(request, weight, all);
  const grid = lpbqGrid(scales, weight.k);
  const nearest = compute.kernels.solvers.roundToGrid({ ...weight, threads: compute.threads }, grid);
  if (needsFactor(options) && factor === undefined) warnings.push('the inputs are all zero, or not finite: rounded to nearest');
  const corrected = factor === undefined || part === 0 ? weight : correctedWeight(compute, weight, moments, all, factor, part);
  let codes = factor === undefined ? nearest : roundedCodes(request, corrected, grid, all, factor);
  if (options.polish > 0) polish(compute, corrected, grid, all.gram, codes = codes.slice(), options.polish);
  if (factor !== undefined && options.rounding.method !== 'nearest' && factor.damping > options.rounding.damping) warnings.push(`damping was raised from ${options.rounding.damping} to ${factor.damping}: the inputs lie in fewer dimensions than they have`);
  if (needsFactor(options) && all.tokens < weight.k) warnings.push(`${all.tokens} calibration tokens for ${weight.k} inputs: give at least as many tokens as inputs`);
  const judge = new Judge(compute, moments, weight, grid);
  const nearestError = judge.error(nearest);
  let error = judge.error(codes);
  if (error.loss > nearestError.loss) {
    warnings.push(`${moments.heldOut === undefined ? 'calibration' : 'held-out'} tokens like rounding to nearest better: it was taken`);
    [codes, error] = [nearest, nearestError];
  }
  return { scales, codes, report: { name, error: error.rounding, nearestError: nearestError.rounding, ...(options.correction === 0 ? {} : { correction: part }), ...(factor === undefined ? {} : { damping: factor.damping }), warnings } };
}

function scalesOf({ compute, options: { scales }, blockSize, moments }: GroupRequest, weight: LayerWeight, { gram, cross }: PartStatistics): LpbqScales {
  const { w, n, k } = weight;
  switch (scales.search) {
    case 'minmax':
      return compute.kernels.solvers.searchLpbq({ w, n, k, block: blockSize, gram: undefined, factors: new Float32Array(), threads: compute.threads });
    case 'grid':
      return searchLpbqGrid(compute, weight, { blockSize, factors: scales.factors, weighting: scales.weighting === 'diagonal' ? 'diagonal' : 'blocks', ...(scales.weighting === 'none' ? {} : { gram }) });
    case 'seqmse':
      return seqMse(compute, weight, { blockSize, candidates: scales.candidates, start: scales.start, gram, ...(scales.inputs === 'float' && moments.reference.kind === 'inputs' && cross !== undefined ? { cross } : {}) });
  }
}

function correctedWeight(compute: Compute, weight: LayerWeight, moments: GroupMoments, all: PartStatistics, factor: GramFactor, part: number): LayerWeight {
  const reference = referenceProducts(compute, moments, all, weight.w);
  if (reference === undefined) return weight;
  const correction = correctionOf(compute, weight, factor, { gram: all.gram, reference });
  return { ...weight, w: weight.w.map((value, i) => value + part * (correction[i] as number)) };
}

function roundedCodes({ compute, options: { rounding }, moments }: GroupRequest, target: LayerWeight, grid: ScaleGrid, { gram, cross }: PartStatistics, factor: GramFactor): Int8Array {
  if (rounding.method === 'gptq') return gptq(compute, target, grid, factor);
  if (rounding.method === 'gptaq' && cross !== undefined && moments.reference.kind === 'inputs') {
    return gptaq(compute, target, grid, factor, cross.map((value, i) => value - (gram[i] as number)), rounding.alpha);
  }
  return compute.kernels.solvers.roundToGrid({ ...target, threads: compute.threads }, grid);
}
