/** What a build costs in a clone that has nothing, where the cache server has everything: beside Nx itself and the transfer of the files. */
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLED, withWorkspace } from '../engine/workspace.mjs';
import { median } from '../processes.mjs';
import { startOurs, withScratch } from './servers.mjs';

const RECIPE = { checkpoint: BUNDLED, graphs: { ar: [1, 128], cl: [512, 1024], parts: 2 }, quantize: { recipe: 'minmax', calibration: { windows: 2, windowLength: 64 } } };
const REPEATS = 5;
const LOCK = 'models/model/recipe.lock.json';

export function coldClone(record) {
  return withScratch('remote-clone', async (scratch) => {
    const server = await startOurs(join(scratch, 'entries'));
    const environment = { TUNDISH_REMOTE_CACHE: server.url, NX_SELF_HOSTED_REMOTE_CACHE_SERVER: server.url };
    try {
      await withWorkspace(RECIPE, async (first) => {
        await first.nx('compile', environment);
        const digests = JSON.parse(readFileSync(join(first.out, 'package/stage.json'), 'utf8')).outputs.map(({ sha256 }) => sha256);
        await withWorkspace(RECIPE, (clone) => measureClone(record, { clone, server, environment, digests, lock: join(first.root, LOCK) }));
      });
    } finally {
      await server.stop();
    }
  });
}

async function measureClone(record, { clone, server, environment, digests, lock }) {
  const seconds = { cold: [], inPlace: [], transfer: [] };
  for (let i = 0; i < REPEATS; i++) {
    clone.forget();
    copyFileSync(lock, join(clone.root, LOCK));
    const cold = await clone.nx('compile', environment);
    if (!/total +0 run/.test(cold.stdout)) throw new Error(`the clone was to find everything:\n${cold.stdout}`);
    seconds.cold.push(cold.seconds);
    seconds.inPlace.push((await clone.nx('compile', environment)).seconds);
    seconds.transfer.push(await transferSeconds(server, digests));
  }
  const [cold, inPlace, transfer] = [seconds.cold, seconds.inPlace, seconds.transfer].map(median);
  record('cold clone, everything on the server: nx run compile', cold, 's');
  record('the same with everything in place', inPlace, 's');
  record('transfer of the files of the container alone', transfer, 's');
  record('own time of a cold clone beside Nx and the transfer', cold - inPlace - transfer, 's', ['<=', 1]);
}

/** The same files by a client that keeps nothing, four at a time as a build has them. */
async function transferSeconds({ url }, digests) {
  const begin = performance.now();
  const waiting = [...digests];
  const work = async () => {
    for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) await (await fetch(`${url}/cas/${digest}`)).arrayBuffer();
  };
  await Promise.all(Array.from({ length: 4 }, work));
  return (performance.now() - begin) / 1000;
}
