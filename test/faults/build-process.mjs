/**
 * `node build-process.mjs WORKSPACE CACHE EVENTS [--pinned] [--whole]`: builds the model of a workspace in this process. What happens is
 * appended to EVENTS line by line, at once, so that a kill loses none. `--pinned` takes the lock as it lies; `--whole` leaves the order to
 * `buildModel`. Not a test.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { adapters } from '@tundish/cli';
import { silentReporter } from '@tundish/diagnostics';
import { encodeLock } from '@tundish/recipe';
import { Pipeline, buildModel, resolveLock, restoreContainer, unitsOf } from '@tundish/stages';
import { writeFileAtomic } from '@tundish/store';
import { MODEL } from './workspace.mjs';

const [workspaceRoot, cacheRoot, events, ...flags] = process.argv.slice(2);
const say = (event) => appendFileSync(events, `${JSON.stringify(event)}\n`);
// Without a handler the kernel ends a process that writes beyond a limit; with one the write fails.
process.on('SIGXFSZ', () => undefined);

/** Each window of a block of quantize is run by an engine that is opened for the block: the count of blocks that were worked on. */
const counting = {
  ...adapters,
  reference: () => {
    const reference = adapters.reference();
    return { ...reference, open: (request) => (say({ engine: true }), reference.open(request)) };
  },
};

try {
  const places = { workspaceRoot, modelRoot: MODEL, cacheRoot, hubCache: join(workspaceRoot, 'hub') };
  if (!flags.includes('--pinned')) {
    const lock = await resolveLock({ ...places, toolchainVersion: async (name) => (await adapters.toolchain(name).identity()).version });
    await writeFileAtomic(join(workspaceRoot, MODEL, 'recipe.lock.json'), encodeLock(lock));
  }
  say({ locked: true });
  // Preflight would refuse a small disk before any work; here the disk fills up in the middle.
  const preflight = () => false;
  const request = { ...places, adapters: counting, reporter: silentReporter, preflight, signal: new AbortController().signal, threads: 1, inputsInPlace: false };
  if (flags.includes('--whole')) {
    for (const run of await buildModel(request)) say(summaryOf(run));
  }
  const pipeline = await Pipeline.open(request);
  for (const unit of unitsOf(pipeline.lock)) {
    say({ began: nameOf(unit) });
    say(summaryOf(await pipeline.run(unit)));
  }
  await restoreContainer(pipeline);
  say({ finished: true, operations: globalThis.fileOperations ?? 0 });
} catch (error) {
  say({ error: { code: error.code ?? null, message: error.message, fix: error.fix ?? null, stack: error.stack } });
  process.exitCode = 1;
}

function nameOf({ stage, subject }) {
  return subject === null ? stage : `${stage}/${subject}`;
}

function summaryOf({ unit, status, pieces }) {
  return { ended: nameOf(unit), status, ...(pieces === undefined ? {} : { pieces }) };
}
