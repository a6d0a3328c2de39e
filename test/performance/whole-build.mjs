/**
 * `node whole-build.mjs WORKSPACE MODEL-FOLDER`: locks and builds the model of a workspace in this process and puts its container in place.
 * Prints seconds, bytes read and written and peak memory of the lock and of the build, as the kernel counts them, as one line of JSON.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adapters } from '@tundish/cli';
import { silentReporter } from '@tundish/diagnostics';
import { encodeLock } from '@tundish/recipe';
import { buildModel, materializeContainer, processPeak, resolveLock } from '@tundish/stages';

const [workspaceRoot, modelRoot] = process.argv.slice(2);
const places = { workspaceRoot, modelRoot, cacheRoot: join(workspaceRoot, '.tundish/cache'), hubCache: join(workspaceRoot, 'hub') };
const identity = await adapters.toolchain('host').identity();
const unlocked = counted();
const lock = await resolveLock({ ...places, toolchainVersion: async () => identity.version });
writeFileSync(join(workspaceRoot, modelRoot, 'recipe.lock.json'), encodeLock(lock));
const locked = counted();
const runs = await buildModel({ ...places, adapters, reporter: silentReporter, signal: new AbortController().signal, threads: 2 });
await materializeContainer(places);
console.log(JSON.stringify({
  lock: difference(locked, unlocked),
  ...difference(counted(), locked),
  units: runs.length,
  ran: runs.filter(({ status }) => status === 'run').length,
  rss: processPeak(),
}));

/**
 * `written` counts whole pages on their way to the disk, pipes and sockets left out, less those of files that were removed before they
 * got there; `read` what this process asked for, from wherever it came.
 */
function counted() {
  const io = readFileSync('/proc/self/io', 'utf8');
  const field = (name) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(io)[1]);
  return { seconds: performance.now() / 1000, written: field('write_bytes') - field('cancelled_write_bytes'), read: field('rchar') };
}

function difference(after, before) {
  return Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - before[name]]));
}
