/** A decoder block whose codes are learned on given scales, from rounding to nearest on. */
import type { ScaleGrid } from '@tundish/native';
import { type BlockTask, type LinearRole, linearDims, perRole, signRound } from '@tundish/quantize/techniques';

export async function learnCodes(task: BlockTask, grids: Readonly<Record<LinearRole, ScaleGrid>>) {
  const { context: { kernels, shape }, weights } = task;
  const round = (role: LinearRole, w: Float32Array): Int8Array => {
    const { out: n, in: k } = linearDims(role, shape);
    return kernels.solvers.roundToGrid({ w, n, k }, grids[role]);
  };
  const starts = perRole((role) => {
    const { weight } = weights.linears[role];
    return { grid: grids[role], codes: round(role, weight), target: weight };
  });
  const { linears, before, after } = await signRound(task, starts, { iterations: 48, tokens: 512 });
  return { codes: perRole((role) => round(role, linears[role].weight)), before, after };
}
