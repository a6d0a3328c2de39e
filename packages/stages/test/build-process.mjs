/** A separate process that builds a model: `node build-process.mjs ROOT MODEL CACHE [LAST [MAX-MEMORY]]`; SIGINT aborts it. Prints JSON lines. Not a test. */
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { Pipeline, unitsOf } from '../dist/index.js';

const [workspaceRoot, modelRoot, cacheRoot, last, maxMemory] = process.argv.slice(2);
const interruption = new AbortController();
process.on('SIGINT', () => interruption.abort(new Error('interrupted')));
// Without a handler the kernel ends a process that writes beyond its file size limit; with one the write fails.
process.on('SIGXFSZ', () => undefined);

const runs = [];
const report = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
try {
  const pipeline = await Pipeline.open({
    workspaceRoot, modelRoot, cacheRoot, hubCache: `${workspaceRoot}/hub`,
    adapters: { toolchain: () => hostToolchain(), reference: () => hostReference() },
    reporter: { info: () => undefined, warn: () => undefined, progress: ({ label, done, total }) => report({ progress: `${label} ${done} of ${total}` }) },
    signal: interruption.signal, threads: 1, inputsInPlace: false, ...(maxMemory === undefined ? {} : { maxMemory: Number(maxMemory) }),
  });
  for (const unit of unitsOf(pipeline.lock)) {
    const { status, pieces } = await pipeline.run(unit);
    runs.push(`${unit.stage} ${status}${pieces === undefined ? '' : ` ${pieces.cached}/${pieces.total}`}`);
    if (unit.stage === last) break;
  }
  report({ runs });
} catch (error) {
  report({ runs, code: error.code ?? null, message: error.message });
}
