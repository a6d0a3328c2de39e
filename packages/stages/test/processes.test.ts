import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { QUANTIZED_RECIPE, Workspace, ran, repositoryPath } from './workspace.js';

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

const argumentsOf = (workspace: Workspace): string[] => [BUILD, workspace.root, workspace.model, workspace.cacheRoot];
const lines = (text: string): Report[] => text.trim().split('\n').map((line) => JSON.parse(line) as Report);

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
    const expected = stage === 'load' ? ['load', 'optimize', 'quantize'] : ['quantize'];
    expect(ran(await workspace.build('quantize'))).toEqual(expected);
  });
});

describe('Ctrl-C', () => {
  test('in the middle of quantize ends the build, leaves nothing of the stage, and the next run finds the stages before it', async () => {
    const workspace = Workspace.make(LARGE_RECIPE, BUNDLED);
    await workspace.lock();
    const child = spawn(process.execPath, argumentsOf(workspace), { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<number | null>((resolve) => void child.on('close', resolve));
    const reports: Report[] = [];
    let stopped = false;
    for await (const line of createInterface({ input: child.stdout })) {
      reports.push(JSON.parse(line) as Report);
      if (!stopped && /^blocks 1 of/.test(reports.at(-1)?.progress ?? '')) stopped = child.kill('SIGINT');
    }
    expect(await ended).toBe(0);
    expect(stopped).toBe(true);
    expect(reports.at(-1)).toMatchObject({ runs: ['load run', 'optimize run'], message: 'interrupted' });
    const left = workspace.leftovers();
    expect(left.temporary).toEqual([]);
    expect(left.manifests).toEqual(['load/stage.json', 'optimize/stage.json']);
    expect(left.entries.map((name) => name.split('_')[0]).sort()).toEqual(['load', 'optimize']);
    expect(ran(await workspace.build('quantize'))).toEqual(['quantize']);
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
  expect(ran(await workspace.build('package'))).toEqual([]);
});
