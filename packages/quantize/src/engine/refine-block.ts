/** The last link of a chain: the codes of a solved block are learned together, and kept where held-out tokens like them better. */
import { isHeldOut } from '@tundish/recipe/calibration-windows';
import type { Refinement } from '@tundish/recipe/technique';
import { LINEAR_ROLES, type LinearRole, linearDims, perRole } from '../forward/block-weights.js';
import { compressScales, lpbqGrid } from '../lpbq/compress-scales.js';
import { type AdaScaleGrid, adaScale } from '../techniques/adascale/adascale.js';
import { type BlockTask, type FoldedWeight, blockLoss } from '../techniques/reconstruction/reconstruct-block.js';
import { type SignRoundStart, signRound } from '../techniques/signround/signround.js';
import { type Compute, dequantize } from '../techniques/weight-matrix.js';
import type { SolvedLayer } from './solve-group.js';

type Layers = Readonly<Record<LinearRole, SolvedLayer>>;

/** The streams are those of the calibration windows. */
export interface RefineRequest extends Omit<BlockTask, 'train' | 'heldOut'> {
  readonly windows: number;
}

/** The layers with their learned codes and scales, or as they were, with a warning, where held-out tokens like these better. */
export async function refineBlock({ windows, ...streams }: RefineRequest, solved: Layers, refine: Exclude<Refinement, { readonly method: 'none' }>): Promise<Layers> {
  const all = Array.from({ length: windows }, (_, index) => index);
  const task: BlockTask = { ...streams, train: all.filter((index) => !isHeldOut(index, windows)), heldOut: all.filter((index) => isHeldOut(index, windows)) };
  const { weights } = task;
  const before = await blockLoss(task, { ...weights, linears: perRole((role) => ({ ...weights.linears[role], weight: dequantize(task.context, solved[role].codes, solved[role].scales.grid) })) });
  const { linears, after } = refine.method === 'adascale' ? await adaScale(task, perRole((role) => learnedGrid(solved[role])), refine) : await signRound(task, perRole((role) => startOf(solved[role])), refine);
  const isTaken = task.heldOut.length === 0 || after < before;
  const warning = task.heldOut.length === 0 ? 'no window is held out: the last codes of the refinement were taken' : isTaken ? undefined : 'held-out tokens like the codes before the refinement better: the block keeps them';
  return perRole((role) => {
    const { scales, codes, report } = isTaken ? withCodes(task.context, solved[role], linears[role], linearDims(role, task.context.shape).out) : solved[role];
    // A word on the block, so the first of its layers says it.
    const warnings = warning === undefined || role !== LINEAR_ROLES[0] ? report.warnings : [...report.warnings, warning];
    return { scales, codes, report: { ...report, refinement: { before, after }, warnings } };
  });
}

/** The grid that scales are learned on: as the layer has it. */
function learnedGrid({ scales: { grid, lpbq } }: SolvedLayer): AdaScaleGrid {
  const { block, bits } = grid;
  return { block, bits, ...(lpbq === undefined ? {} : { compress: (scale, n) => lpbqGrid(compressScales(scale, n), (scale.length / n) * block).scale }) };
}

function startOf(layer: SolvedLayer): SignRoundStart {
  return { grid: layer.scales.grid, codes: layer.codes, target: layer.target as Float32Array };
}

function withCodes({ kernels, threads }: Compute, layer: SolvedLayer, { weight, grid }: FoldedWeight, n: number): SolvedLayer {
  const codes = kernels.solvers.roundToGrid({ w: weight, n, k: weight.length / n, threads }, grid);
  return { ...layer, scales: { grid, ...(layer.scales.lpbq === undefined ? {} : { lpbq: compressScales(grid.scale, n) }) }, codes };
}
