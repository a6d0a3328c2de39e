/**
 * `node run-stages.mjs WORKSPACE MODEL STAGE...`: runs all units of the given stages in this process, and prints seconds, bytes
 * written and peak memory as the kernel counts them, as one line of JSON. Earlier stages come from the store. After `package`
 * the container is put in its place. Without a stage only the lock is written.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adapters } from '@tundish/cli';
import { toolchainVersion } from '@tundish/cli/toolchains';
import { silentReporter } from '@tundish/diagnostics';
import { encodeLock } from '@tundish/recipe';
import { Pipeline, processPeak, resolveLock, restoreContainer, unitsOf } from '@tundish/stages';

const [workspaceRoot, modelRoot, ...stages] = process.argv.slice(2);
const cacheRoot = join(workspaceRoot, '.tundish/cache');
const hubCache = join(workspaceRoot, 'hub');
// Digests of the checkpoint are taken here once and remembered; they are no part of a stage.
const lock = await resolveLock({ workspaceRoot, modelRoot, cacheRoot, hubCache, toolchainVersion });
writeFileSync(join(workspaceRoot, modelRoot, 'recipe.lock.json'), encodeLock(lock));
if (stages.length > 0) {
  const pipeline = await Pipeline.open({ workspaceRoot, modelRoot, cacheRoot, hubCache, adapters, reporter: silentReporter, signal: new AbortController().signal, threads: 2, inputsInPlace: false });
  const units = unitsOf(lock).filter(({ stage }) => stages.includes(stage));
  const before = written();
  const started = performance.now();
  const results = [];
  for (const unit of units) results.push(await pipeline.run(unit));
  if (stages.includes('package')) await restoreContainer(pipeline);
  const seconds = (performance.now() - started) / 1000;
  const weights = results.flatMap(({ manifest }) => manifest.outputs).filter(({ name }) => !/\.(onnx|json)$/.test(name));
  const ran = results.filter(({ status }) => status === 'run').length;
  console.log(JSON.stringify({ units: units.length, ran, seconds, weightBytes: weights.reduce((sum, { size }) => sum + size, 0), written: written() - before, rss: processPeak() }));
}

/** Bytes that this process has sent towards the disk, as the kernel counts them: whole pages, pipes and sockets left out. */
function written() {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
}
