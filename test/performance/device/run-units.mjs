/**
 * `node run-units.mjs WORKSPACE MODEL STAGE [SUBJECT]`: runs the units of a stage, or one of them, with what they read, and prints
 * seconds of the stage alone, bytes of its results, bytes of the quantized weights, and decoder blocks of the part as JSON.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adapters } from '@tundish/cli';
import { toolchainVersion } from '@tundish/cli/toolchains';
import { silentReporter } from '@tundish/diagnostics';
import { encodeLock } from '@tundish/recipe';
import { Pipeline, resolveLock, unitsOf } from '@tundish/stages';

const [workspaceRoot, modelRoot, stage, subject] = process.argv.slice(2);
const request = { workspaceRoot, modelRoot, cacheRoot: join(workspaceRoot, '.tundish/cache'), hubCache: join(workspaceRoot, 'hub') };
const lock = await resolveLock({ ...request, toolchainVersion });
writeFileSync(join(workspaceRoot, modelRoot, 'recipe.lock.json'), encodeLock(lock));
const pipeline = await Pipeline.open({ ...request, adapters, reporter: silentReporter, signal: new AbortController().signal, threads: 2, inputsInPlace: false });
const runs = [];
for (const unit of unitsOf(lock)) {
  if (unit.stage === stage && (subject === undefined || unit.subject === subject)) runs.push(await pipeline.run(unit));
}
const quantized = await pipeline.run({ stage: 'quantize', subject: null });
const bytesOf = (manifest, wanted) => manifest.outputs.filter(({ name }) => wanted.test(name)).reduce((sum, { size }) => sum + size, 0);
console.log(JSON.stringify({
  seconds: runs.reduce((sum, run) => sum + run.seconds, 0),
  bytes: runs.reduce((sum, run) => sum + bytesOf(run.manifest, /\.bin$/), 0),
  weightBytes: bytesOf(quantized.manifest, /\.weights$/),
  blocks: stage === 'compile' ? await blocksOf(runs[0].unit) : 0,
}));
await pipeline.close();

/** Decoder blocks of a part: each has a cache of keys. */
async function blocksOf(unit) {
  const [{ inputs }] = JSON.parse(readFileSync((await pipeline.input(unit)).path('graphs.json'), 'utf8'));
  return inputs.filter(({ name }) => /^past_key_\d+_in$/.test(name)).length;
}
