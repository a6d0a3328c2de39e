/** Builds the model of a workspace in this process and prints seconds, bytes written and peak memory as one line of JSON. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adapters } from '@tundish/cli';
import { silentReporter } from '@tundish/diagnostics';
import { encodeLock } from '@tundish/recipe';
import { buildModel, resolveLock } from '@tundish/stages';

const workspaceRoot = process.argv[2];
const modelRoot = 'models/llama32';
const cacheRoot = join(workspaceRoot, '.tundish/cache');
const hubCache = join(workspaceRoot, 'hub');
const identity = await adapters.toolchain('host').identity();
const lock = await resolveLock({ workspaceRoot, modelRoot, cacheRoot, hubCache, toolchainVersion: async () => identity.version });
writeFileSync(join(workspaceRoot, modelRoot, 'recipe.lock.json'), encodeLock(lock));
const before = written();
const started = performance.now();
await buildModel({ workspaceRoot, modelRoot, cacheRoot, hubCache, adapters, reporter: silentReporter, signal: new AbortController().signal, threads: 2 });
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000, written: written() - before, rss: process.resourceUsage().maxRSS * 1024 }));

/** Bytes that this process has sent towards the disk, as the kernel counts them: whole pages, pipes and sockets left out. */
function written() {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
}
