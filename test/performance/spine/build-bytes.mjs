/** A cold build: seconds through Nx, and bytes written per byte of new content, both by the operating system's count. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { coldCompile } from '../cold-compile.mjs';
import { bytesBelow } from '../disk.mjs';
import { ROOT, measured } from '../processes.mjs';

export async function buildBytes(record) {
  const scratch = join(ROOT, 'test-output/cold');
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  try {
    await coldCompile(record, 'llama32', { scratch, bar: ['<=', 20] });
    await asOneProcess(record, scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** One process, so that the kernel's counter covers every write. */
async function asOneProcess(record, scratch) {
  const workspace = join(scratch, 'workspace');
  cpSync(join(ROOT, 'models/llama32/checkpoint'), join(workspace, 'models/llama32/checkpoint'), { recursive: true });
  cpSync(join(ROOT, 'models/llama32/recipe.yaml'), join(workspace, 'models/llama32/recipe.yaml'));
  const { written, seconds, rss } = await measured('whole-build.mjs', [workspace, 'models/llama32']);
  const content = bytesBelow(join(workspace, '.tundish/cache'), join(workspace, 'models/llama32/out'));
  record('build as one process', seconds, 's');
  record('peak memory', rss / 1e6, 'MB');
  record('new content', content / 1e6, 'MB');
  record('bytes written per byte of new content', written / content, 'x', ['<=', 1.05]);
}
