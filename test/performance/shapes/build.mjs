/** A build from load to package stage by stage, the bytes it wrote, and what its container does. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesBelow } from '../disk.mjs';
import { measured, median, succeed } from '../processes.mjs';
import { CALIBRATED, recordStep } from './stages.mjs';
import { withShape } from './workspace.mjs';

const STEPS = [['load'], ['optimize', 'quantize'], ['arcl', 'transform'], ['convert'], ['compile'], ['package']];
const QUANTIZE = 'optimize and quantize';
const PROMPT_TOKENS = 512;
const GENERATED_TOKENS = 64;
const RUNS = 3;

/** @param bars of the step that quantizes */
export function build(shape, { workBytes, bars }) {
  return (record) => withShape(shape, workBytes, async (workspace) => {
    await workspace.recipe({ graphs: { ar: [1, 128], cl: [1024], parts: 1 }, quantize: CALIBRATED });
    let written = 0;
    for (const stages of STEPS) {
      const step = await workspace.run(...stages);
      written += step.written;
      const title = stages.join(' and ');
      recordStep(record, `${shape}: ${title}${title === QUANTIZE ? ', 4,096 tokens of calibration' : ''}`, step, title === QUANTIZE ? bars : {});
    }
    const content = bytesBelow(workspace.cache, workspace.out);
    record(`${shape}: new content`, content / 1e6, 'MB');
    record(`${shape}: bytes written per byte of new content`, written / content, 'x', ['<=', 1.05]);
    await speed(record, shape, workspace);
    await firstToken(record, shape, workspace);
  });
}

async function speed(record, shape, workspace) {
  const ids = workspace.file('ids.json');
  writeFileSync(ids, JSON.stringify(Array.from({ length: PROMPT_TOKENS }, (_, i) => 1000 + ((i * 7919) % 100_000))));
  const { decode, prefill, rss } = await measured('generate.mjs', [workspace.container, ids, GENERATED_TOKENS, RUNS].map(String));
  record(`${shape}: decode, CL 1024, best of ${RUNS}`, Math.max(...decode), 'tokens/s', ['>=', 15]);
  record(`${shape}: prefill, AR 128, best of ${RUNS}`, Math.max(...prefill), 'tokens/s', ['>=', 90]);
  record(`${shape}: generation, peak memory`, rss / 1e6, 'MB');
}

/** The whole process, from its start to its end, when all of the container is in the page cache. */
async function firstToken(record, shape, { container }) {
  for (const entry of readdirSync(container, { recursive: true, withFileTypes: true })) if (entry.isFile()) readFileSync(join(entry.parentPath, entry.name));
  const words = ['generate', container, '--ids', '1,2,3', '--max-tokens', '1'];
  const direct = [];
  const npx = [];
  for (let i = 0; i < RUNS; i++) {
    direct.push((await succeed('node', ['packages/cli/bin/tundish.js', ...words])).seconds);
    npx.push((await succeed('npx', ['tundish', ...words])).seconds);
  }
  record(`${shape}: first token of npx tundish generate`, median(npx), 's', ['<=', 4]);
  record(`${shape}: first token of node tundish.js generate`, median(direct), 's');
  record(`${shape}: share of npx`, median(npx) - median(direct), 's');
}
