/** A build from load to package stage by stage, the bytes it wrote, and what its container does. */
import { writeFileSync } from 'node:fs';
import { bytesBelow } from '../disk.mjs';
import { measured } from '../processes.mjs';
import { firstToken } from './first-token.mjs';
import { CALIBRATED, SMALL_GRID, recordStep } from './stages.mjs';
import { withShape } from './workspace.mjs';

const STEPS = [['load'], ['optimize', 'quantize'], ['arcl', 'transform'], ['convert'], ['compile'], ['package']];
const QUANTIZE = 'optimize and quantize';
const PROMPT_TOKENS = 512;
const GENERATED_TOKENS = 64;
const RUNS = 3;

/** @param bars of the step that quantizes */
export function build(shape, { workBytes, bars }) {
  return (record) => withShape(shape, workBytes, async (workspace) => {
    await workspace.recipe({ graphs: SMALL_GRID, quantize: CALIBRATED });
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
    await firstToken(record, shape, workspace.container);
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
