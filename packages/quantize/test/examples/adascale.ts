/** A decoder block whose scales and codes are learned, one scale for each output channel, 4 bits. */
import { type BlockTask, adaScale, linearDims, perRole } from '@tundish/quantize/techniques';

export async function learnPerChannel(task: BlockTask) {
  const { kernels, shape } = task.context;
  const { linears, before, after } = await adaScale(task, perRole(() => ({ bits: 4 })), { iterations: 48, tokens: 512 });
  const codes = perRole((role) => {
    const { out: n, in: k } = linearDims(role, shape);
    return kernels.solvers.roundToGrid({ w: linears[role].weight, n, k }, linears[role].grid);
  });
  return { codes, grids: perRole((role) => linears[role].grid), before, after };
}
