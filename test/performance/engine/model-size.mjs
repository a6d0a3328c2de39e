/** What must not grow with the model: a run that has nothing to do, and the bytes that are read to find that out. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { contentBelow, newBytes } from '../disk.mjs';
import { median } from '../processes.mjs';
import { checkpointOf } from '../shapes/workspace.mjs';
import { BUNDLED, withWorkspace } from './workspace.mjs';

const SHAPE = 'llama-3.2-1b';
const WORK_BYTES = 6e9;
const REPEATS = 9;
/** The same tasks for both; weights only, since calibration is not what is measured. */
const recipe = (checkpoint) => ({ checkpoint, graphs: { ar: [1], cl: [512], parts: 1 }, quantize: { recipe: 'minmax', activations: 'none' } });

export async function modelSize(record) {
  const checkpoint = await checkpointOf(SHAPE, WORK_BYTES);
  await withWorkspace(recipe(BUNDLED), (small) => withWorkspace(recipe(checkpoint), (large) => measure(record, small, large, weightBytes(checkpoint))));
}

async function measure(record, small, large, weights) {
  await small.build();
  const before = contentBelow(large.root);
  const first = await large.build();
  const added = newBytes(contentBelow(large.root), before);
  record('1B: new content', added / 1e6, 'MB');
  record('1B: bytes written per byte of new content', (first.written + first.lock.written) / added, 'x', ['<=', 1.05]);
  record('1B: bytes read by the first lock per byte of the checkpoint', first.lock.read / weights, 'x', ['<=', 1.05]);
  // Nothing is remembered of the first lock where the checkpoint was written in the two seconds before.
  const [again, smallAgain] = [await large.build(), await small.build()];
  record('1B: seconds of the first lock', first.lock.seconds, 's');
  record('1B: seconds of the second lock', again.lock.seconds, 's');
  record('1B: bytes read by the second lock and build, beyond those at 4M', Math.max(0, again.lock.read + again.read - smallAgain.lock.read - smallAgain.read) / 1e6, 'MB', ['<=', 1]);
  const seconds = { small: [], large: [], floor: [] };
  for (const workspace of [small, large]) await workspace.nx('compile');
  // In turns, so that other load on the machine meets both.
  for (let i = 0; i < REPEATS; i++) {
    seconds.small.push((await small.nx('compile')).seconds);
    seconds.large.push((await large.nx('compile')).seconds);
    seconds.floor.push((await small.nx('nothing')).seconds);
  }
  record('no-op task of Nx that is not ours', median(seconds.floor), 's');
  record('no-op nx run compile, 4M', median(seconds.small), 's');
  record('no-op nx run compile, 1B', median(seconds.large), 's');
  record('no-op nx run compile, 1B against 4M', median(seconds.large) / median(seconds.small), 'x', ['<=', 1.1]);
}

function weightBytes(checkpoint) {
  return readdirSync(checkpoint).filter((name) => name.endsWith('.safetensors')).reduce((sum, name) => sum + statSync(join(checkpoint, name)).size, 0);
}
