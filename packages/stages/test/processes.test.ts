import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { QUANTIZED_RECIPE, WEIGHTS_ONLY_RECIPE, Workspace, repositoryPath } from './workspace.js';

const BUILD = fileURLToPath(new URL('build-process.mjs', import.meta.url));
const BUNDLED = repositoryPath('models/llama32/checkpoint');
/** Long enough that a signal after the first block comes before the last. */
const LARGE_RECIPE = 'checkpoint: ./checkpoint\ngraphs: { ar: [1, 8], cl: [32], parts: 2 }\nquantize: { calibration: { windows: 8, windowLength: 128 } }\n';

interface Report {
  readonly runs?: readonly string[];
  readonly code?: string | null;
  readonly message?: string;
  readonly progress?: string;
}

const argumentsOf = (workspace: Workspace, last = 'package'): string[] => [BUILD, workspace.root, workspace.model, workspace.cacheRoot, last];
const lines = (text: string): Report[] => text.trim().split('\n').map((line) => JSON.parse(line) as Report);

/** What a process did that was left alone: the code of this test is another, and would find nothing that a process made. */
async function buildOn(workspace: Workspace, last?: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, argumentsOf(workspace, last));
  return lines(stdout).at(-1)?.runs ?? [];
}

/** Starts a build and ends it as soon as it has reported that `blocks` blocks are done. */
async function stoppedAfter(workspace: Workspace, blocks: number, signal: 'SIGINT' | 'SIGKILL'): Promise<{ readonly reports: readonly Report[]; readonly code: number | null }> {
  const child = spawn(process.execPath, argumentsOf(workspace), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => void child.on('close', resolve));
  const reports: Report[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    reports.push(JSON.parse(line) as Report);
    if (reports.at(-1)?.progress?.startsWith(`blocks ${blocks} of`) === true) child.kill(signal);
  }
  return { reports, code: await ended };
}

describe('a disk that is full, by a limit on file sizes', () => {
  // The first limit is below the embedding table that quantize writes, the second below the graph of load.
  test.each([[600, 'quantize', LARGE_RECIPE, BUNDLED], [8, 'load', QUANTIZED_RECIPE, undefined]])('at %i KiB a build stops in %s with a code, and leaves nothing of it', async (limit, stage, recipe, checkpoint) => {
    const workspace = Workspace.make(recipe, checkpoint);
    await workspace.lock();
    const { stdout } = await promisify(execFile)('bash', ['-c', `ulimit -f ${limit}; exec "$0" "$@"`, process.execPath, ...argumentsOf(workspace)]);
    const last = lines(stdout).at(-1);
    expect(last?.code).toBe('STORE_IO');
    expect(last?.message).toContain('EFBIG');
    const left = workspace.leftovers();
    expect(left.temporary).toEqual([]);
    expect(left.manifests).not.toContain(`${stage}/stage.json`);
    expect(left.entries.filter((name) => name.startsWith(stage))).toEqual([]);
    expect(last?.runs).toEqual(stage === 'load' ? [] : ['load run', 'optimize run']);
    // With room again the build goes on from what it had.
    const before = stage === 'load' ? ['load run', 'optimize run'] : ['load cached', 'optimize cached'];
    expect(await buildOn(workspace, 'quantize')).toEqual([...before, expect.stringMatching(/^quantize run 0/)]);
  });
});

describe('Ctrl-C', () => {
  test('in the middle of quantize ends the build, leaves its finished blocks, and the next run goes on behind them', async () => {
    const workspace = Workspace.make(LARGE_RECIPE, BUNDLED);
    await workspace.lock();
    const { reports, code } = await stoppedAfter(workspace, 1, 'SIGINT');
    expect(code).toBe(0);
    expect(reports.at(-1)).toMatchObject({ runs: ['load run', 'optimize run'], message: 'interrupted' });
    const left = workspace.leftovers();
    expect(left.temporary).toEqual([]);
    expect(left.manifests).toEqual(['load/stage.json', 'optimize/stage.json']);
    expect(new Set(left.entries.map((name) => name.split('_')[0]))).toEqual(new Set(['load', 'optimize', 'quantize-block']));
    const blocks = left.entries.filter((name) => name.startsWith('quantize-block')).length;
    expect(await buildOn(workspace, 'quantize')).toEqual(['load cached', 'optimize cached', `quantize run ${blocks}/6`]);
  });
});

describe('kill -9', () => {
  let uninterrupted: { readonly manifest: string; readonly entries: readonly string[] };
  const quantizeOf = (workspace: Workspace): string => readFileSync(workspace.path('out/quantize/stage.json'), 'utf8');
  const blocksOf = (workspace: Workspace): string[] => workspace.leftovers().entries.filter((name) => name.startsWith('quantize-block')).sort();
  beforeAll(async () => {
    const workspace = Workspace.make(LARGE_RECIPE, BUNDLED);
    await workspace.lock();
    expect(await buildOn(workspace, 'quantize')).toEqual(['load run', 'optimize run', 'quantize run 0/6']);
    uninterrupted = { manifest: quantizeOf(workspace), entries: blocksOf(workspace) };
  });

  test.each([1, 3, 5])('after block %i of 6 loses nothing that was finished, and the result is that of an uninterrupted run', async (done) => {
    const workspace = Workspace.make(LARGE_RECIPE, BUNDLED);
    await workspace.lock();
    await stoppedAfter(workspace, done, 'SIGKILL');
    const kept = blocksOf(workspace);
    expect(kept.length).toBeGreaterThanOrEqual(done);
    expect(await buildOn(workspace, 'quantize')).toEqual(['load cached', 'optimize cached', `quantize run ${kept.length}/6`]);
    expect(quantizeOf(workspace)).toBe(uninterrupted.manifest);
    // Keys hold contents: live activations that had differed by a bit would have given the blocks behind them other keys.
    expect(blocksOf(workspace)).toEqual(uninterrupted.entries);
  });

  test('of a build that quantizes weights only', async () => {
    const [whole, killed] = [0, 1].map(() => Workspace.make(WEIGHTS_ONLY_RECIPE)) as [Workspace, Workspace];
    for (const workspace of [whole, killed]) await workspace.lock();
    await buildOn(whole, 'quantize');
    await stoppedAfter(killed, 2, 'SIGKILL');
    expect((await buildOn(killed, 'quantize')).at(-1)).toMatch(/^quantize (cached|run [2-4]\/4)$/);
    expect(quantizeOf(killed)).toBe(quantizeOf(whole));
  });
});

test('two processes that build one model at once agree, and each finds or makes everything', async () => {
  const workspace = Workspace.make(QUANTIZED_RECIPE);
  await workspace.lock();
  const finished = await Promise.all([1, 2].map(() => promisify(execFile)(process.execPath, argumentsOf(workspace))));
  for (const { stdout } of finished) {
    const last = lines(stdout).at(-1);
    expect(last?.message).toBeUndefined();
    expect(last?.runs).toHaveLength(16);
  }
  expect(workspace.leftovers().temporary).toEqual([]);
  expect((await buildOn(workspace)).filter((run) => !run.endsWith(' cached'))).toEqual([]);
});
