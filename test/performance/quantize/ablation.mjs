/** What each link of the default chain brings: chains that differ in one link, over the bundled model with everything quantized. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, succeed } from '../processes.mjs';
import { withCheckpoint } from '../shapes/workspace.mjs';

const CHECKPOINT = join(ROOT, 'models/llama32/checkpoint');
const PROTOCOL = join(CHECKPOINT, 'protocol.safetensors');
const GRID = { search: 'grid' };
const GPTQ = { method: 'gptq' };

/** Name of a chain, its keys in `quantize`, and the mean KL that it may not exceed. */
const CHAINS = [
  ['minmax', { recipe: 'minmax' }],
  ['lpbq_seqmse', { recipe: 'lpbq_seqmse' }, 0.018],
  ['lpbq_seqmse-float-everywhere', { recipe: 'lpbq_seqmse', floatWindows: 'all' }],
  ['grid', { recipe: 'minmax', scales: GRID }],
  ['gptq', { recipe: 'minmax', rounding: GPTQ }],
  ['gptaq', { recipe: 'minmax', rounding: { method: 'gptaq' } }],
  ['grid-gptq', { recipe: 'minmax', scales: GRID, rounding: GPTQ }],
  ['grid-gptq-polish', { recipe: 'minmax', scales: GRID, rounding: GPTQ, polish: 2 }],
  ['grid-gptq-correction', { recipe: 'minmax', scales: GRID, rounding: GPTQ, correction: 'heldOut' }],
  ['lpbq_gptaq', { recipe: 'lpbq_gptaq' }, 0.0095],
  ['float32-products', { recipe: 'lpbq_gptaq', products: 'float32' }],
  ['awq', { recipe: 'lpbq_gptaq', smoothing: { method: 'awq' } }],
];

export function ablation(record) {
  return withCheckpoint(CHECKPOINT, async (workspace) => {
    const sections = (keys) => ({ graphs: { ar: [128], cl: [1024], parts: 1 }, quantize: { ...keys, calibration: { text: PROTOCOL } }, evaluate: { text: PROTOCOL } });
    await workspace.recipe(sections(CHAINS[0][1]));
    for (const [name, keys] of CHAINS) writeFileSync(workspace.file(`${name}.yaml`), JSON.stringify({ checkpoint: CHECKPOINT, toolchain: 'host', ...sections(keys) }));
    // A name of Tundish's own cannot be that of a file.
    const recipes = CHAINS.map(([name]) => `own-${name}=${workspace.file(`${name}.yaml`)}`).join(',');
    const { stdout } = await succeed('node', [join(ROOT, 'packages/cli/bin/tundish.js'), 'compare', workspace.model, '--workspace', workspace.root, '--recipes', recipes, '--json']);
    const results = JSON.parse(stdout);
    for (const [i, [name, , bar]] of CHAINS.entries()) {
      const { kl, perplexityRatio, seconds } = results[i];
      record(`${name}: mean KL`, kl.mean, 'nats', bar === undefined ? undefined : ['<=', bar]);
      record(`${name}: perplexity against the checkpoint`, perplexityRatio, 'x');
      record(`${name}: quantize`, seconds, 's');
    }
  });
}
