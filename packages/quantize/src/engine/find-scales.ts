/** The scales of one layer, by the search that the recipe names, for whichever scheme the layer has. */
import type { LpbqScales, ScaleGrid } from '@tundish/native';
import type { Technique } from '@tundish/recipe/technique';
import type { WeightScheme } from '@tundish/recipe/weight-scheme';
import { copyFloats } from '../float-stack.js';
import { lpbqGrid } from '../lpbq/compress-scales.js';
import { searchLpbqGrid } from '../techniques/lpbq-grid/lpbq-grid.js';
import { minMaxGrid, searchRangeGrid } from '../techniques/range-grid/range-grid.js';
import { seqMse, seqMsePerBlock, seqMsePerChannel } from '../techniques/seqmse/seqmse.js';
import type { Compute, LayerWeight } from '../techniques/weight-matrix.js';
import type { GroupMoments } from './group-statistics.js';

export interface FoundScales {
  /** What codes are rounded on. */
  readonly grid: ScaleGrid;
  /** What the grid is a product of; absent where its scales are floats of their own. */
  readonly lpbq?: LpbqScales;
}

export function findScales(compute: Compute, { scales }: Technique, scheme: WeightScheme, weight: LayerWeight, moments: GroupMoments): FoundScales {
  if (scheme.scheme === 'lpbq') {
    const lpbq = lpbqScales(compute, scales, scheme.blockSize, weight, moments);
    return { lpbq, grid: lpbqGrid(lpbq, weight.k) };
  }
  const range = { bits: scheme.bits, block: scheme.scheme === 'per_block' ? scheme.blockSize : weight.k };
  return { grid: floatScales(compute, scales, range, weight, moments) };
}

function lpbqScales(compute: Compute, scales: Technique['scales'], blockSize: number, weight: LayerWeight, moments: GroupMoments): LpbqScales {
  const { gram } = moments.train;
  switch (scales.search) {
    case 'minmax':
      return compute.kernels.solvers.searchLpbq({ ...weight, block: blockSize, gram: undefined, factors: new Float32Array(), threads: compute.threads });
    case 'grid':
      return searchLpbqGrid(compute, weight, { blockSize, factors: scales.factors, ...weightingOf(scales.weighting, gram) });
    case 'seqmse':
      return seqMse(compute, weight, { blockSize, candidates: scales.candidates, start: scales.start, gram, ...crossOf(scales.inputs, compute, moments) });
  }
}

function floatScales(compute: Compute, scales: Technique['scales'], range: Pick<ScaleGrid, 'block'> & { readonly bits: 4 | 8 }, weight: LayerWeight, moments: GroupMoments): ScaleGrid {
  const { gram } = moments.train;
  switch (scales.search) {
    case 'minmax':
      return minMaxGrid(compute, weight, range);
    case 'grid':
      return searchRangeGrid(compute, weight, { ...range, factors: scales.factors, ...weightingOf(scales.weighting, gram) });
    case 'seqmse': {
      const options = { candidates: scales.candidates, gram, ...crossOf(scales.inputs, compute, moments) };
      return (range.block === weight.k ? seqMsePerChannel(compute, weight, range.bits, options) : seqMsePerBlock(compute, weight, { ...range, ...options })).grid;
    }
  }
}

function weightingOf(weighting: 'blocks' | 'diagonal' | 'none', gram: Float32Array): { readonly weighting: 'blocks' | 'diagonal'; readonly gram?: Float32Array } {
  return weighting === 'none' ? { weighting: 'blocks' } : { weighting, gram };
}

/** Xf'X: what the float model has in all. */
function crossOf(inputs: 'quantized' | 'float', { kernels, threads, stack }: Compute, { reference, train: { gram, beyond } }: GroupMoments): { readonly cross?: Float32Array } {
  if (inputs === 'quantized' || reference.kind !== 'inputs' || beyond === undefined) return {};
  const cross = copyFloats(stack, gram);
  kernels.decoder.add(cross, beyond, threads);
  return { cross };
}
