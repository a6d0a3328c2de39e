/** A disk that fills up, and a store that cannot be written: small file systems in memory, which only root can mount. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, buildOrThrow, ranIn } from './build.mjs';
import { FLOAT_RECIPE, differences, leftovers, makeWorkspace, newFolder, partialResults, results } from './workspace.mjs';

const SIZES_KB = [64, 600, 2_000, 4_000, 6_000, 8_000, 9_000, 10_000];
/** Fewer refusals would mean that the sizes no longer suit the model. */
const LEAST_REFUSALS = 5;
const ROOM_KB = 200_000;

export function diskCases(whole) {
  return {
    'full disk: the store grows from 64 KB, builds in between': () => onSmallDisk((disk) => filledUp(whole, makeWorkspace({ cache: join(disk, 'cache') }), disk)),
    'full disk: no room for anything of the store': () => onSmallDisk((disk) => noRoom(whole, disk)),
    'limit on file sizes: blocks of quantize do not fit': () => limited(whole),
    'read-only store that has everything': () => onSmallDisk((disk) => readOnlyWhole(whole, disk)),
    'read-only store that has nothing': () => onSmallDisk((disk) => readOnlyEmpty(disk)),
  };
}

/** Calls `use` with a folder that is a disk of its own; where mounting is not allowed the case is skipped. */
async function onSmallDisk(use) {
  const disk = newFolder();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${ROOM_KB}k`, 'tundish-faults', disk], { encoding: 'utf8' });
  if (mounted.status !== 0) return { skipped: 'mounting a small disk is not allowed here (needs root)' };
  try {
    return await use(disk);
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
}

function remount(disk, options) {
  execFileSync('mount', ['-o', `remount,${options}`, disk]);
}

/** At each size the build stops with a clear error and leaves nothing; with room for all it finishes from what it had. */
async function filledUp(whole, workspace, disk) {
  const faults = [];
  const stages = [];
  const done = new Set();
  for (const size of [...SIZES_KB, ROOM_KB]) {
    remount(disk, `size=${size}k`);
    const attempt = await build(workspace);
    const ran = ranIn(attempt);
    faults.push(...ran.filter((unit) => done.has(unit)).map((unit) => `${unit} was finished and ran again`), ...partialResults(workspace, whole.results), ...leftovers(workspace));
    for (const { ended } of attempt.events) done.add(ended);
    if (attempt.error !== undefined) {
      const { code, fix, message } = attempt.error;
      if (code !== 'STORE_DISK_FULL' || fix === null) faults.push(`at ${size} KB: ${message}`);
      stages.push(attempt.events.findLast((event) => event.began !== undefined)?.began ?? 'the lock');
    }
  }
  if (stages.length < LEAST_REFUSALS) faults.push(`the disk was full ${stages.length} times only: the case proves little`);
  return { faults: [...faults, ...differences(results(workspace), whole.results)], found: `STORE_DISK_FULL ${stages.length} times (${[...new Set(stages)].join(', ')}), then equal digests` };
}

async function noRoom(whole, disk) {
  const workspace = makeWorkspace({ cache: join(disk, 'cache') });
  remount(disk, 'size=4k,nr_inodes=1');
  const { error } = await build(workspace);
  const faults = error?.code === 'STORE_DISK_FULL' && error.fix !== null ? [] : [`not STORE_DISK_FULL: ${error?.message ?? 'the build finished'}`];
  return { faults: [...faults, ...leftovers(workspace), ...readdirSync(disk)], found: `${error?.code}: ${error?.fix}` };
}

/** As a quota that ends a file in the middle: below the embedding table that quantize writes. */
async function limited(whole) {
  const workspace = makeWorkspace();
  const { error } = await build(workspace, { limit: 'ulimit -f 600' });
  const faults = error?.code === 'STORE_IO' && error.fix !== null ? [] : [`no error of the store: ${error?.message ?? 'the build finished'}`];
  faults.push(...partialResults(workspace, whole.results), ...leftovers(workspace));
  await buildOrThrow(workspace);
  return { faults: [...faults, ...differences(results(workspace), whole.results)], found: `${error?.code}, then equal digests` };
}

/** Everything is found; what would be remembered for the next time is not. */
async function readOnlyWhole(whole, disk) {
  const workspace = makeWorkspace({ cache: join(disk, 'cache') });
  await buildOrThrow(workspace);
  remount(disk, 'ro');
  rmSync(join(workspace.model, 'out'), { recursive: true });
  const attempt = await build(workspace, { flags: ['--pinned'] });
  const found = attempt.error === undefined ? `${ranIn(attempt).length} units run, equal digests` : `${attempt.error.code}: ${attempt.error.fix}`;
  remount(disk, 'rw');
  if (attempt.error !== undefined) return { faults: [`a store that has everything could not serve: ${attempt.error.message}`], found };
  return { faults: [...differences(results(workspace), whole.results), ...leftovers(workspace)], found };
}

async function readOnlyEmpty(disk) {
  const cache = join(disk, 'cache');
  mkdirSync(cache);
  const workspace = makeWorkspace({ recipe: FLOAT_RECIPE, cache });
  remount(disk, 'ro');
  const { error } = await build(workspace);
  const faults = error?.code === 'STORE_READ_ONLY' && error.fix !== null ? [] : [`not STORE_READ_ONLY: ${error?.message ?? 'the build finished'}`];
  return { faults: [...faults, ...leftovers(workspace)], found: `${error?.code}: ${error?.fix}` };
}
