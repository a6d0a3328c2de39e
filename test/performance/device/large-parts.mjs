/** Compiling parts at the shapes of Llama 3.2 1B, over random weights: seconds, resident memory of all processes, bytes. */
import { join } from 'node:path';
import { ROOT } from '../processes.mjs';
import { checkpointOf } from '../shapes/workspace.mjs';
import { LPBQ, withDevice } from './workspace.mjs';
import { watchTree } from './watch-tree.mjs';

const SHAPE = 'llama-3.2-1b';
const QUANTIZE = { recipe: 'minmax', weights: LPBQ, calibration: { windows: 1, windowLength: 128 } };
const PARTS = 6;

/** The second part of six has whole decoder blocks and nothing else. */
export async function onePart(record) {
  await compiled({ ar: [1, 128], cl: [4096], parts: PARTS }, ['part2of6-sm8750'], (parts) => {
    const [part] = parts;
    record(`${SHAPE}, ${part.blocks} blocks, AR 1 and 128, CL 4096: compile`, part.seconds, 's', ['<=', 60]);
    record('peak memory of all processes', part.peak / 1e9, 'GB', ['<=', 4]);
    record('bytes of the binary', part.bytes / 1e6, 'MB');
  });
}

export async function wholeModel(record) {
  await compiled({ ar: [1, 128], cl: [512, 1024, 2048, 3072, 4096], parts: PARTS }, undefined, (parts, weightBytes) => {
    record(`${SHAPE}, 5 CL, ${PARTS} parts: compile`, parts.reduce((sum, { seconds }) => sum + seconds, 0), 's');
    record('peak memory of all processes', Math.max(...parts.map(({ peak }) => peak)) / 1e9, 'GB');
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    record('bytes of all binaries', bytes / 1e6, 'MB');
    record('against the 4-bit weights with their tables', bytes / weightBytes, 'x', ['<=', 1.15]);
  });
}

async function compiled(graphs, subjects, use) {
  const checkpoint = await checkpointOf(SHAPE, 8e9);
  await withDevice({ graphs, quantize: QUANTIZE }, async (device) => {
    const stages = (...args) => watchTree('node', [join(ROOT, 'test/performance/device/run-units.mjs'), device.root, device.model, ...args]);
    const { weightBytes } = await stages('convert');
    const names = subjects ?? Array.from({ length: PARTS }, (_, i) => `part${i + 1}of${PARTS}-sm8750`);
    const parts = [];
    for (const name of names) parts.push(await stages('compile', name));
    use(parts, weightBytes);
  }, { checkpoint });
}
