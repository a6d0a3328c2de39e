/** Named recipes on whole models, weights alone: seconds and peak memory of the quantize stage. */
import { join } from 'node:path';
import { ROOT } from '../processes.mjs';
import { recordStep } from '../shapes/stages.mjs';
import { withCheckpoint, withShape } from '../shapes/workspace.mjs';

const GRAPHS = { ar: [128], cl: [1024], parts: 1 };
/** 32,768 tokens. */
const CALIBRATION = { windows: 64, windowLength: 512 };
const WORK_BYTES = 12e9;

/** A recipe at the shape of a known model. Of `layers` of `blocks` blocks the time of all is estimated, with embedding and head counted too often. */
export function recipeAt(shape, recipe, { bars, layers, blocks }) {
  return (record) => withShape(shape, WORK_BYTES, async (workspace) => {
    const title = `${shape}: ${recipe}${layers === undefined ? '' : `, ${layers} blocks`}`;
    const step = await quantized(workspace, recipe);
    recordStep(record, title, step, bars);
    if (layers !== undefined) record(`${title}: ${blocks} blocks would take at most`, (step.seconds * blocks) / layers, 's');
  }, layers);
}

export function recipeOnBundled(recipe, bars) {
  return (record) => withCheckpoint(join(ROOT, 'models/llama32/checkpoint'), async (workspace) => {
    recordStep(record, `mini-llama: ${recipe}`, await quantized(workspace, recipe), bars);
  });
}

async function quantized(workspace, recipe) {
  // min-max reads no text here, and may not be told of any.
  await workspace.recipe({ graphs: GRAPHS, quantize: { recipe, activations: 'none', ...(recipe === 'minmax' ? {} : { calibration: CALIBRATION }) } });
  await workspace.run('load', 'optimize');
  return workspace.run('quantize');
}
