/** The store under several processes at once, and under limits that only the operating system can impose. */
import { execFile } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { openActionCache } from '../src/action-cache.js';
import { openStore } from '../src/store.js';
import { listing, temporaryRoots } from './temporary-root.js';

const newRoot = temporaryRoots();
const SCRIPT = join(import.meta.dirname, 'store-process.mjs');

async function run(job: string, root: string, { limit = '', start = 0 } = {}): Promise<unknown> {
  const command = `${limit} exec "${process.execPath}" "${SCRIPT}" ${job} "${root}" ${start}`;
  const { stdout } = await promisify(execFile)('sh', ['-c', command]);
  return JSON.parse(stdout);
}

describe('processes that publish the same keys at once', () => {
  it('all succeed, agree on each result and leave only whole entries', async () => {
    const root = newRoot();
    const reports = (await Promise.all([1, 2, 3, 4].map(() => run('publish', root)))) as [string, number][][];
    for (const report of reports) expect(report).toEqual(reports[0]);
    const store = openStore(root);
    const cache = openActionCache(store, 'llama32');
    for (const [key, winner] of reports[0] ?? []) {
      const manifest = await cache.lookup('compile', key);
      expect(manifest?.facts).toEqual({ process: winner });
      for (const output of manifest?.outputs ?? []) await store.verify(output);
    }
    expect(listing(join(root, 'llama32')).filter((path) => !path.includes('/'))).toHaveLength(20);
    expect(listing(join(root, 'tmp'))).toEqual([]);
  });
});

it('processes that put the same blobs at once link to one file each: a blob in use is never replaced', async () => {
  const root = newRoot();
  const start = Date.now() + 500;
  const [mine, theirs] = (await Promise.all([1, 2].map(() => run('race', root, { start })))) as number[][];
  expect(mine).toHaveLength(1500);
  expect(theirs).toEqual(mine);
});

describe('limits', () => {
  it('a write that the system cuts short leaves no file', async () => {
    const root = newRoot();
    expect(await run('overflow', root, { limit: 'ulimit -f 1000;' })).toMatchObject({ code: 'STORE_IO', message: expect.stringContaining('EFBIG') as string });
    expect(listing(root).filter((path) => path.includes('-') || /[0-9a-f]{64}/.test(path))).toEqual([]);
  });

  it('a folder without permission is named with a remedy', async () => {
    const root = newRoot();
    chmodSync(join(root, '..'), 0o755);
    chmodSync(root, 0o555);
    expect(await run('unprivileged', root)).toMatchObject({ code: 'STORE_NO_PERMISSION', message: expect.stringContaining('fix:') as string });
    expect(listing(root)).toEqual([]);
  });
});
