import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TundishError, recordingReporter } from '@tundish/diagnostics';
import { describe, expect, test } from 'vitest';
import { cpuMilliseconds } from '../../../test/fixtures/cpu-time.js';
import { FLOAT_RECIPE, Workspace, repositoryPath } from './workspace.js';

interface Case {
  readonly path: string;
  readonly expect: 'ok' | 'error' | 'warn';
  readonly wrong: string;
}

const CASES = (JSON.parse(readFileSync(repositoryPath('test/fixtures/bad/cases.json'), 'utf8')) as Case[])
  .filter(({ path }) => path.startsWith('checkpoints/'))
  .map((entry) => ({ ...entry, path: entry.path.slice('checkpoints/'.length) }));

/** Cases that neither the lock nor load reads as deep as they are wrong, and where they are tested. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'chat-template-loops': 'packages/tokenizer/test: a template is run when a conversation is',
  'chat-template-escapes': 'packages/tokenizer/test: a template is run when a conversation is',
  'weights-nan': 'packages/quantize/test/weights.test.ts, and stages.test.ts for the stage: load reads no weight byte',
  'weights-inf': 'packages/quantize/test/weights.test.ts, and stages.test.ts for the stage: load reads no weight byte',
};

/** Warnings of the table that are errors here: a stricter answer that the table allows. */
const REFUSED = new Set(['cfg-python-nan']);

async function load(folder: string): Promise<{ readonly error?: TundishError; readonly warnings: readonly string[]; readonly workspace: Workspace }> {
  const workspace = Workspace.make(FLOAT_RECIPE.replace('parts: 2', 'parts: 1'), folder);
  const reporter = recordingReporter();
  try {
    await workspace.lock();
    await (await workspace.open({ reporter })).run({ stage: 'load', subject: null });
    return { warnings: reporter.warnings, workspace };
  } catch (error) {
    if (error instanceof TundishError) return { error, warnings: reporter.warnings, workspace };
    throw error;
  }
}

describe('every bad checkpoint, through the lock and load', () => {
  test.each(CASES.filter(({ path }) => ELSEWHERE[path] === undefined))('$path ($expect): $wrong', async ({ path, expect: expected }) => {
    const folder = repositoryPath(`test/fixtures/bad/checkpoints/${path}`);
    const began = cpuMilliseconds();
    const { error, warnings, workspace } = await load(folder);
    expect(cpuMilliseconds() - began).toBeLessThan(2000);
    const left = workspace.leftovers();
    expect(left.temporary).toEqual([]);
    if (expected === 'error' || REFUSED.has(path)) {
      expect(error?.code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/);
      expect(error?.what).not.toBe('');
      expect(error?.fix ?? error?.why, 'says why or what to do').toBeTruthy();
      expect({ entries: left.entries, manifests: left.manifests }).toEqual({ entries: [], manifests: [] });
      return;
    }
    expect(error?.message).toBeUndefined();
    expect(left.manifests).toEqual(['load/stage.json']);
    expect(warnings.length > 0).toBe(expected === 'warn');
    // The graph is there, and not one weight byte.
    expect(left.entries).toHaveLength(1);
    expect(statSync(join(workspace.cacheRoot, 'tiny', left.entries[0] as string, 'graph.onnx')).size).toBeGreaterThan(1000);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('the list of cases that others test names cases of the table', () => {
    const known = CASES.map(({ path }) => path);
    expect(Object.keys(ELSEWHERE).filter((path) => !known.includes(path))).toEqual([]);
    expect([...REFUSED].filter((path) => !known.includes(path))).toEqual([]);
  });
});
