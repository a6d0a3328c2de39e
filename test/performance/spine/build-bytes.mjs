/** A cold build: seconds through Nx, and bytes written per byte of new content, both by the operating system's count. */
import { cpSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from './processes.mjs';

export async function buildBytes(record) {
  const scratch = join(ROOT, 'test-output/cold');
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  try {
    await throughNx(record, scratch);
    await asOneProcess(record, scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function throughNx(record, scratch) {
  // Nx keeps which outputs are already in place in its workspace data: without a fresh one this run is a cached run.
  const env = { NX_CACHE_DIRECTORY: join(scratch, 'nx'), NX_WORKSPACE_DATA_DIRECTORY: join(scratch, 'data'), TUNDISH_CACHE_ROOT: join(scratch, 'store') };
  const kernels = await run('npx', ['nx', 'run', 'native:build'], { env });
  record('compiling the native kernels', kernels.seconds, 's');
  const { code, stdout, stderr, seconds } = await run('npx', ['nx', 'run', 'llama32:compile'], { env });
  if (code !== 0) throw new Error(`the build failed:\n${stdout}\n${stderr}`);
  if (!/\b\d+ run, 0 cached\b/.test(stdout)) throw new Error(`this build was not cold:\n${stdout}`);
  record('cold nx run llama32:compile', seconds, 's', ['<=', 20]);
}

/** One process, so that the kernel's counter covers every write. */
async function asOneProcess(record, scratch) {
  const workspace = join(scratch, 'workspace');
  cpSync(join(ROOT, 'models/llama32/checkpoint'), join(workspace, 'models/llama32/checkpoint'), { recursive: true });
  cpSync(join(ROOT, 'models/llama32/recipe.yaml'), join(workspace, 'models/llama32/recipe.yaml'));
  const script = join(ROOT, 'test/performance/spine/cold-build.mjs');
  const { code, stdout, stderr } = await run('node', [script, workspace]);
  if (code !== 0) throw new Error(`the build failed:\n${stderr}`);
  const { written, seconds, rss } = JSON.parse(stdout.trim().split('\n').at(-1));
  const content = bytesBelow(join(workspace, '.tundish/cache'), join(workspace, 'models/llama32/out'));
  record('build as one process', seconds, 's');
  record('peak memory', rss / 1e6, 'MB');
  record('new content', content / 1e6, 'MB');
  record('bytes written per byte of new content', written / content, 'x', ['<=', 1.05]);
}

/** Disk space of everything new below the folders, each inode once: hard links are not content. */
function bytesBelow(...folders) {
  const inodes = new Map();
  for (const folder of folders) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const { ino, blocks } = statSync(join(entry.parentPath, entry.name));
      inodes.set(ino, blocks * 512);
    }
  }
  return [...inodes.values()].reduce((sum, bytes) => sum + bytes, 0);
}
