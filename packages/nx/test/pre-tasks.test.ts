/** What happens to locks before any task is hashed. */
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TundishError } from '@tundish/diagnostics';
import { describe, expect, it } from 'vitest';
import { currentRun, taskWatch } from '../src/environment.js';
import { refusalOf, stateVariable } from '../src/lock/model-state.js';
import { preTasksExecution } from '../src/plugin.js';
import { claimPreflight, readRecords, writeRecord } from '../src/run/run-record.js';
import { emptyFolder, workspaceWithModel, writeFiles } from './temporary-workspace.js';

const MODEL = 'models/tiny';
const RECIPE = 'graphs: { cl: [512] }\n';

async function before(root: string, id = 'run', command = ['run-many', '-t', 'compile']): Promise<void> {
  await preTasksExecution(undefined, { id, workspaceRoot: root, nxJsonConfiguration: {}, argv: ['node', 'nx', ...command] });
}

function lockOf(root: string): { path: string; text: string } {
  const path = join(root, MODEL, 'recipe.lock.json');
  return { path, text: readFileSync(path, 'utf8') };
}

describe('preTasksExecution', () => {
  it('writes a lock where there is none, and lets its digest stand in for a file that Nx has not listed', async () => {
    const root = workspaceWithModel(RECIPE);
    await before(root);
    const { path, text } = lockOf(root);
    expect(process.env[stateVariable(MODEL)]).toMatch(/^[0-9a-f]{64}$/);

    const { mtimeMs } = statSync(path);
    await before(root);
    expect(process.env[stateVariable(MODEL)]).toBe('');
    expect(statSync(path).mtimeMs, 'an unchanged lock is not written').toBe(mtimeMs);

    rmSync(path);
    await before(root);
    expect(lockOf(root).text).toBe(text);
  });

  it('brings the lock in step with an edit, and not with a comment', async () => {
    const root = workspaceWithModel(RECIPE);
    await before(root);
    const first = lockOf(root).text;
    writeFiles(root, { [`${MODEL}/recipe.yaml`]: `# a comment\ncheckpoint:    ./checkpoint\n${RECIPE}` });
    await before(root);
    expect(lockOf(root).text).toBe(first);
    writeFiles(root, { [`${MODEL}/recipe.yaml`]: `checkpoint: ./checkpoint\n${RECIPE}generation: { maxTokens: 9 }\n` });
    await before(root);
    expect(lockOf(root).text).toBe(first.replace('"maxTokens": 256', '"maxTokens": 9'));
  });

  it('refuses the tasks of a broken recipe with its own error, and clears the refusal when it is repaired', async () => {
    const root = workspaceWithModel(RECIPE);
    await before(root);
    const good = lockOf(root).text;
    writeFiles(root, { [`${MODEL}/recipe.yaml`]: `checkpoint: ./checkpoint\nquantise: none\n` });
    await before(root);
    const refusal = refusalOf(MODEL);
    expect(refusal).toBeInstanceOf(TundishError);
    expect(refusal?.message).toContain('quantise');
    expect(refusal?.message).toContain('quantize');
    expect(refusal?.evidence.line).toBe(2);
    expect(lockOf(root).text).toBe(good);
    await expect(before(root, 'run', ['run', 'tiny:compile'])).rejects.toThrow(refusal?.message);
    writeFiles(root, { [`${MODEL}/recipe.yaml`]: `checkpoint: ./checkpoint\n${RECIPE}` });
    await before(root);
    expect(refusalOf(MODEL)).toBeUndefined();
  });

  it('never writes in CI, and lists what differs', async () => {
    const root = workspaceWithModel(RECIPE);
    process.env['CI'] = 'true';
    await expect(before(root)).rejects.toThrow(/NX_LOCK_STALE: models\/tiny\/recipe.lock.json [^]*there is no lock/);
    process.env['CI'] = 'false';
    await before(root);
    const committed = lockOf(root).text;
    process.env['CI'] = 'true';
    await before(root);
    writeFiles(root, { [`${MODEL}/recipe.yaml`]: `checkpoint: ./checkpoint\n${RECIPE}generation: { maxTokens: 9 }\n` });
    await expect(before(root)).rejects.toThrow(/generation.maxTokens: 256 in the lock, 9 now/);
    expect(lockOf(root).text).toBe(committed);
  });

  it('takes in CI the committed lock for a checkpoint that is not here, and still holds the recipe against it', async () => {
    const root = workspaceWithModel(RECIPE);
    await before(root);
    const { text } = lockOf(root);
    rmSync(join(root, MODEL, 'checkpoint'));
    await expect(before(root, 'local', ['run', 'tiny:compile'])).rejects.toThrow('CHECKPOINT_FOLDER_NOT_FOUND');
    process.env['CI'] = 'true';
    await before(root, 'ci', ['run', 'tiny:compile']);
    expect(lockOf(root).text).toBe(text);
    writeFiles(root, { [`${MODEL}/recipe.yaml`]: `checkpoint: ./checkpoint\n${RECIPE}generation: { maxTokens: 9 }\n` });
    await expect(before(root, 'ci', ['run', 'tiny:compile'])).rejects.toThrow('NX_LOCK_STALE');
    process.env['CI'] = 'false';
    process.env['TUNDISH_REMOTE_CACHE'] = 'file:///nowhere';
    await before(root, 'local', ['run', 'tiny:compile']);
    expect(lockOf(root).text).toBe(text.replace('"maxTokens": 256', '"maxTokens": 9'));
  });

  it('lets other models build in CI when a checkpoint was never fetched, and refuses its own', async () => {
    const root = workspaceWithModel(RECIPE);
    await before(root);
    writeFiles(root, { [`${MODEL}/recipe.yaml`]: `checkpoint: ./absent.gguf\n${RECIPE}` });
    process.env['CI'] = 'true';
    await before(root, 'run', ['run', 'other:compile']);
    expect(refusalOf(MODEL)).toMatchObject({ code: 'STAGE_SOURCE_MISSING' });
    await expect(before(root, 'run', ['run', 'tiny:compile'])).rejects.toMatchObject({ code: 'STAGE_SOURCE_MISSING' });
  });

  it('gives the run an identity only where there are models', async () => {
    const root = emptyFolder();
    delete process.env['TUNDISH_RUN'];
    await before(root);
    expect(currentRun()).toBeUndefined();
    await before(workspaceWithModel(RECIPE), '123');
    expect(currentRun()?.id).toBe('123');
  });

  it('gives a chat the streams of Nx, and no other run', async () => {
    const root = workspaceWithModel(RECIPE);
    const streams = (): unknown[] => [process.env['NX_TUI'], process.env['NX_NATIVE_COMMAND_RUNNER']];
    const given = streams();
    for (const command of [['run', 'tiny:generate'], ['run', 'tiny:chat', '--tui'], ['chat', 'another'], ['run', 'another:chat']]) {
      await before(root, 'run', command);
      expect(streams(), command.join(' ')).toEqual(given);
    }
    for (const command of [['run', 'tiny:chat', '--seed', '7'], ['chat', 'tiny']]) {
      delete process.env['NX_TUI'];
      delete process.env['NX_NATIVE_COMMAND_RUNNER'];
      await before(root, 'run', command);
      expect(streams(), command.join(' ')).toEqual(['false', 'false']);
    }
  });
});

describe('what a run is asked beside its recipe', () => {
  it('comes from the command line of the umbrella or from the environment, begins files anew, and is forgotten by the next run', async () => {
    const root = workspaceWithModel(RECIPE);
    process.env['TUNDISH_EVENTS'] = 'run.jsonl';
    writeFiles(root, { 'run.jsonl': 'an earlier run\n', 'deep/run.trace': 'an earlier run\n' });
    await before(root, 'run', ['run', 'tiny:compile', '--trace=deep/run.trace', '--max-memory', '6GB']);
    expect(taskWatch(root)).toEqual({ trace: join(root, 'deep/run.trace'), events: join(root, 'run.jsonl'), maxMemory: 6e9 });
    expect(readFileSync(join(root, 'run.jsonl'), 'utf8')).toBe('');
    expect(JSON.parse(`${readFileSync(join(root, 'deep/run.trace'), 'utf8')}]`)).toHaveLength(1);
    await before(root, 'next', ['run', 'other:test', '--trace=mine']);
    expect(taskWatch(root)).toEqual({ events: join(root, 'run.jsonl') });
  });

  it('is refused before any task when it cannot be done', async () => {
    const root = workspaceWithModel(RECIPE);
    await expect(before(root, 'run', ['run', 'tiny:compile', '--events=-'])).rejects.toMatchObject({ code: 'NX_EVENTS_STREAM' });
    await expect(before(root, 'run', ['run', 'tiny:compile', '--max-memory=much'])).rejects.toMatchObject({ code: 'CLI_USAGE' });
  });

  it('is looked at by one task of a run for each model', () => {
    const root = emptyFolder();
    const run = { id: '7', startedAt: 1000 };
    expect(['a', 'a', 'b'].map((model) => claimPreflight(root, run, model))).toEqual([true, false, true]);
    writeRecord(root, run, { task: 'a:load', status: 'run', seconds: 0, cpuSeconds: 0, peakRssBytes: 0, bytesWritten: 0, outputs: 0 });
    writeFileSync(join(root, '.tundish/runs/1000-7', 'a%3Aquantize.json.1'), '{"task": "a:quan');
    expect([...readRecords(root, run).keys()], 'nothing that a killed task had begun').toEqual(['a:load']);
    expect(readdirSync(join(root, '.tundish/runs/1000-7')).filter((name) => name.startsWith('a%3Aload'))).toEqual(['a%3Aload.json']);
  });
});
