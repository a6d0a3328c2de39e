/** A separate process that builds with files for events and dies after the first block: `node observed-process.mjs ROOT MODEL CACHE EVENTS TRACE`. Not a test. */
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { buildModel, eventFile, traceFile } from '../dist/index.js';

const [workspaceRoot, modelRoot, cacheRoot, events, trace] = process.argv.slice(2);
const killer = { name: 'killer', on: ({ kind, name }) => kind === 'finish' && name === 'quantize/block-0' && process.kill(process.pid, 'SIGKILL') };
await buildModel({
  workspaceRoot, modelRoot, cacheRoot, hubCache: `${workspaceRoot}/hub`,
  adapters: { toolchain: () => hostToolchain(), reference: () => hostReference() },
  reporter: { info: () => undefined, warn: () => undefined, progress: () => undefined },
  signal: new AbortController().signal, threads: 1,
  observers: [eventFile(events), traceFile(trace, { last: true }), killer],
});
