/** The limit of memory while stages work, and what is measured of each unit; in processes of their own, whose memory is only theirs. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readSidecar } from '@tundish/store';
import { describe, expect, test } from 'vitest';
import { MODEL_ROOT, type Workspace, workspaceWith } from './workspace.js';

const BUILD = fileURLToPath(new URL('build-process.mjs', import.meta.url));
/** Whether the system keeps a mark of the largest memory that can be set back. */
const MARKED = existsSync('/proc/self/clear_refs');
const LIMIT = 600e6;
const GREEDY = '  - { use: ./stages/greedy.ts, after: optimize }\n';

/** A stage that hands its graph on after `work`. */
function greedy(work: string): Readonly<Record<string, string>> {
  return { 'greedy.ts': `import { defineStage, graphFile, readGraph, z } from '@tundish/stages/custom';
import { setTimeout } from 'node:timers/promises';
export const stage = defineStage({ name: 'greedy', options: z.strictObject({}), run: async ({ signal }, { input }) => {
  ${work}
  return { files: [graphFile(await readGraph(input))] };
} });
` };
}

interface Report {
  readonly runs: readonly string[];
  readonly code?: string | null;
  readonly message?: string;
}

async function build({ root, cacheRoot }: Workspace, last: string, ...limit: readonly string[]): Promise<Report> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', BUILD, root, MODEL_ROOT, cacheRoot, last, ...limit]);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) as string) as Report;
}

/** Builds with the limit, which must end in the stage. @returns the message */
async function refusal(work: string): Promise<string> {
  const workspace = workspaceWith(GREEDY, greedy(work));
  await workspace.lock();
  const { runs, code, message } = await build(workspace, 'greedy', String(LIMIT));
  expect([runs, code]).toEqual([['load run', 'optimize run'], 'STAGE_MAX_MEMORY']);
  const { entries, temporary, manifests } = workspace.leftovers();
  expect([entries.map((name) => name.split('_')[0]), temporary, manifests]).toEqual([['load', 'optimize'], [], ['load/stage.json', 'optimize/stage.json']]);
  return message as string;
}

describe('a stage that goes over --max-memory', () => {
  test('is stopped while it works, with nothing of it kept', async () => {
    // 4 GB, were it not stopped.
    const message = await refusal('const held: Buffer[] = []; for (let i = 0; i < 200; i++) { held.push(Buffer.alloc(20e6, 1)); await setTimeout(10, undefined, { signal }); }');
    expect(message).toMatch(/greedy went over the memory that this build may have: 600 MB\n.*why: what this stage needs cannot be known before it runs\n[^]*fix: raise --max-memory, or let the stage hold less at once/);
    const [, size, unit] = /([\d.]+) (MB|GB) resident in the process and what it started, nothing declared/.exec(message) ?? [];
    const bytes = Number(size) * (unit === 'GB' ? 1e9 : 1e6);
    // Printed in three digits: a hair more than the limit reads as the limit.
    expect(bytes).toBeGreaterThanOrEqual(LIMIT);
    expect(bytes).toBeLessThan(2e9);
  });

  test.runIf(process.platform === 'linux')('is stopped when what it started has the memory', async () => {
    const hoard = 'const held = []; for (let i = 0; i < 100; i++) held.push(Buffer.alloc(20e6, 1)); setTimeout(() => held.length, 60000);';
    await refusal(`const { execFile } = await import('node:child_process'); const child = execFile(process.execPath, ['-e', ${JSON.stringify(hoard)}]);
  try { await setTimeout(60000, undefined, { signal }); } finally { child.kill('SIGKILL'); }`);
  });

  test.runIf(MARKED)('is found out when it went over between two looks', async () => {
    await refusal('Buffer.alloc(1e9, 1).subarray(0, 1);');
  });
});

test.runIf(MARKED)('each unit is measured by itself: a large one does not count for those behind it', async () => {
  const workspace = workspaceWith('  - { use: ./stages/greedy.ts, after: load }\n  - { use: ./stages/small.ts, after: load }\n', {
    ...greedy('let held: Buffer | undefined = Buffer.alloc(5e8, 1); held = undefined;'),
    'small.ts': greedy('for (let i = 0; i < 20; i++) { globalThis.gc?.(); await setTimeout(5); }')['greedy.ts']?.replaceAll("'greedy'", "'small'") ?? '',
  });
  await workspace.lock();
  expect((await build(workspace, 'optimize')).runs).toEqual(['load run', 'greedy run', 'small run', 'optimize run']);
  const memoryOf = (stage: string): ReturnType<typeof readSidecar>['memory'] => readSidecar(`${workspace.cacheRoot}/tiny/${workspace.leftovers().entries.find((name) => name.startsWith(`${stage}_`)) as string}`).memory;
  expect(memoryOf('load')).toEqual({ declared: 200e6, measured: expect.any(Number) as number, of: 'unit', limit: null });
  expect(memoryOf('greedy')).toMatchObject({ declared: null, of: 'unit' });
  expect(memoryOf('greedy').measured).toBeGreaterThan(5e8);
  for (const stage of ['load', 'optimize']) expect(memoryOf(stage).measured, stage).toBeLessThan(4e8);
});

test.runIf(process.platform === 'linux')('what a unit starts is measured with it', async () => {
  const hoard = 'const held = Buffer.alloc(5e8, 1); setTimeout(() => process.exit(held[0] - 1), 1000);';
  const workspace = workspaceWith(GREEDY, greedy(`const { execFile } = await import('node:child_process'); const { once } = await import('node:events');
  await once(execFile(process.execPath, ['-e', ${JSON.stringify(hoard)}]), 'close');`));
  await workspace.lock();
  expect((await build(workspace, 'greedy')).runs).toEqual(['load run', 'optimize run', 'greedy run']);
  const entry = workspace.leftovers().entries.find((name) => name.startsWith('greedy_')) as string;
  expect(readSidecar(`${workspace.cacheRoot}/tiny/${entry}`).memory.measured).toBeGreaterThan(5e8);
});
