/** replay gives the bytes of every entry of a build again, says what differs, and leaves the cache as it is. */
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '@tundish/store';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Workspace, filesBelow } from '../../stages/test/workspace.js';
import { builtModel, copyOf, json, main, tundish } from './built-model.js';

interface Report {
  readonly equal: boolean;
  readonly stage: string;
  readonly subject: string | null;
  readonly outputs: { name: string; expected: string | null; found: string | null; equal: boolean }[];
  readonly manifestEqual: boolean;
  readonly changed: string[];
}

let pristine: Workspace;
let workspace: Workspace;
beforeAll(async () => {
  pristine = await builtModel();
});
beforeEach(() => {
  workspace = copyOf(pristine);
});

const entries = ({ cacheRoot }: Workspace): string[] => readdirSync(join(cacheRoot, 'tiny')).map((name) => join(cacheRoot, 'tiny', name));
const entryOf = (operation: string): string => entries(workspace).find((path) => path.includes(`/${operation}_`)) as string;
const replay = async (entry: string, code = 0): Promise<Report> => json<Report>(await main(workspace, 'replay', entry, '--threads', '1', '--json'), code);

function edit(path: string, change: (value: Record<string, never>) => void): void {
  const value = JSON.parse(readFileSync(path, 'utf8')) as Record<string, never>;
  change(value);
  writeFileSync(path, JSON.stringify(value));
}

describe('replay', () => {
  it('gives equal bytes for every unit of a build, and writes nothing into the cache', async () => {
    workspace = pristine;
    // What is remembered of the files of the checkpoint is no part of the cache.
    const times = (): [string, number][] => filesBelow(workspace.cacheRoot).filter((file) => file !== 'file-digests.json').map((file) => [file, statSync(join(workspace.cacheRoot, file)).mtimeMs]);
    const before = times();
    const reports: Report[] = [];
    for (const entry of entries(workspace).filter((path) => !path.includes('/quantize-block_'))) reports.push(await replay(entry));
    expect(reports.filter(({ equal, manifestEqual, changed }) => !equal || !manifestEqual || changed.length > 0)).toEqual([]);
    expect(new Set(reports.map(({ stage }) => stage))).toEqual(new Set(['load', 'optimize', 'quantize', 'arcl', 'transform', 'convert', 'compile', 'package']));
    expect(reports.find(({ stage }) => stage === 'quantize')?.outputs.map(({ name }) => name)).toContain('block-0.weights');
    expect(times()).toEqual(before);
  });

  it('lists what differs, with both digests, and has code 1', async () => {
    const entry = entryOf('optimize');
    edit(join(entry, 'stage.json'), (manifest) => {
      // Without the digest of its content a manifest is taken as it is.
      delete manifest['digest'];
      Object.assign((manifest['outputs'] as { sha256: string }[])[0] as object, { sha256: '0'.repeat(64) });
    });
    const { code, stdout } = tundish(workspace, 'replay', entry);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^optimize: run again in .*, 1 of 1 outputs differ\n[^]*^graph\.onnx +0{16} +[0-9a-f]{16}$/m);
  });

  it('runs with the options of the sidecar: another option gives other bytes', async () => {
    const entry = entryOf('quantize');
    edit(join(entry, 'builder_cache_info.json'), ({ request }) => Object.assign((request as { options: { embedding: object } }).options.embedding, { bits: 8 }));
    const { outputs } = await replay(entry, 1);
    expect(outputs.filter(({ equal }) => !equal).map(({ name }) => name)).toContain('embedding.weights');
    expect(outputs.find(({ name }) => name === 'block-0.weights')?.equal).toBe(true);
  });

  it('puts what came out into a new folder, which inspect knows, also where it differs', async () => {
    const entry = entryOf('quantize');
    edit(join(entry, 'builder_cache_info.json'), ({ request }) => Object.assign((request as { options: { embedding: object } }).options.embedding, { bits: 8 }));
    const save = join(workspace.root, 'deep', 'recompiled');
    const { outputs } = json<Report>(await main(workspace, 'replay', entry, '--save', save, '--json'), 1);
    expect(outputs.find(({ name }) => name === 'embedding.weights')?.equal).toBe(false);
    expect(filesBelow(save)).toEqual([...outputs.map(({ name }) => name), 'stage.json'].sort());
    for (const { name, found } of outputs) expect(sha256(readFileSync(join(save, name))), name).toBe(found);
    expect(json(await main(workspace, 'inspect', save, '--json'))).toMatchObject({ kind: 'stage manifest', manifest: { stage: 'quantize' } });
    expect(await main(workspace, 'replay', entry, '--save', save)).toEqual({ code: 3, stdout: '', stderr: expect.stringMatching(/^STAGE_REPLAY_FOLDER: /) as string });
    expect(readdirSync(join(workspace.root, 'deep'))).toEqual(['recompiled']);
  });

  it('says what has changed since the entry was made', async () => {
    const entry = entryOf('arcl');
    edit(join(entry, 'builder_cache_info.json'), ({ config }) => Object.assign(config, { code: '"older"' }));
    expect((await replay(entry)).changed).toEqual([expect.stringMatching(/^code: "older" -> "[0-9a-f]{64}"$/)]);
  });

  it('refuses what it cannot run again, with the reason', async () => {
    const old = entryOf('load');
    edit(join(old, 'builder_cache_info.json'), (sidecar) => void delete sidecar['request']);
    const orphan = entryOf('optimize');
    const cases: [string, string][] = [[entryOf('quantize-block'), 'STAGE_REPLAY_IMPOSSIBLE'], [old, 'STAGE_REPLAY_IMPOSSIBLE'], [workspace.path('out'), 'STORE_SIDECAR_INVALID']];
    for (const [entry, expected] of cases) {
      const { code, stderr } = await main(workspace, 'replay', entry);
      expect([code, stderr.split(':')[0]]).toEqual([3, expected]);
    }
    rmSync(entryOf('load'), { recursive: true });
    expect((await main(workspace, 'replay', orphan)).stderr).toMatch(/^STAGE_INPUT_MISSING: the result of load that this entry was made from/);
  });

  it('refuses a checkpoint that is no longer the one that the entry was made from', async () => {
    const path = workspace.path('checkpoint/config.json');
    writeFileSync(path, `${readFileSync(path, 'utf8')}\n`);
    expect((await main(workspace, 'replay', entryOf('load'))).stderr).toMatch(/^STAGE_SOURCE_CHANGED: config\.json/);
    expect(readdirSync(join(workspace.cacheRoot, 'tmp'))).toEqual([]);
  });
});
