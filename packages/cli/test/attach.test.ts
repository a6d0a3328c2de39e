/** attach: a build goes on from what another workspace made, and takes nothing that is damaged. */
import { appendFileSync, cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FLOAT_RECIPE, Workspace, filesBelow, temporaryFolder } from '../../stages/test/workspace.js';
import { build, builtModel, json, main } from './built-model.js';

const RECIPE = FLOAT_RECIPE.replace('ar: [1, 8], cl: [32], parts: 2', 'ar: [8], cl: [32]');
let made: Workspace;
beforeAll(async () => {
  made = await builtModel('package', RECIPE);
});

const modelOf = ({ cacheRoot }: Workspace): string => join(cacheRoot, 'tiny');
const entryOf = (workspace: Workspace, operation: string): string => join(modelOf(workspace), readdirSync(modelOf(workspace)).find((name) => name.startsWith(`${operation}_`)) as string);

interface Attached {
  readonly unit: string;
  readonly status: string;
  readonly entry: string;
}

describe('attach', () => {
  it('gives a build one stage of another workspace, which is run no more', async () => {
    const here = Workspace.make(RECIPE);
    const [attached] = json<Attached[]>(await main(here, 'attach', entryOf(made, 'compile'), entryOf(made, 'quantize'), '--json'));
    expect(attached).toMatchObject({ unit: 'compile/part1of1', status: 'attached', entry: entryOf(here, 'compile') });
    expect(await build(here, 'package')).toEqual(['load', 'optimize', 'arcl/ar8-cl32', 'transform/ar8-cl32-1of1', 'convert/ar8-cl32-1of1', 'package']);
    expect([...here.manifests()]).toEqual([...made.manifests()]);
  });

  it('takes all that a model has, from a copy without links and under another name, once', async () => {
    const here = Workspace.make(RECIPE);
    const copy = join(temporaryFolder(), 'from-elsewhere');
    cpSync(modelOf(made), copy, { recursive: true });
    expect((await main(here, 'attach', copy, '--model', 'models/tiny')).stdout.match(/ attached /g)).toHaveLength(8);
    rmSync(copy, { recursive: true });
    expect(await build(here, 'package')).toEqual([]);
    expect(await main(here, 'verify', 'tiny')).toMatchObject({ code: 0 });
    expect(json<Attached[]>(await main(here, 'attach', modelOf(made), '--json')).map(({ status }) => status)).toEqual(Array(8).fill('present'));
  });

  it('is enough to run one stage again, without the rest of the build', async () => {
    const here = Workspace.make(RECIPE);
    expect(await main(here, 'replay', entryOf(made, 'convert'))).toMatchObject({ code: 0 });
    expect((await main(here, 'attach', entryOf(made, 'convert'))).code).toBe(0);
    expect((await main(here, 'replay', entryOf(here, 'convert'))).stderr).toMatch(/^STAGE_INPUT_MISSING: the result of transform/);
    expect((await main(here, 'attach', entryOf(made, 'transform'))).code).toBe(0);
    expect(json(await main(here, 'replay', entryOf(here, 'convert'), '--json'))).toMatchObject({ equal: true, stage: 'convert' });
  });

  it('keeps nothing of an entry that is damaged', async () => {
    const here = Workspace.make(RECIPE);
    const damages: readonly (readonly [RegExp, (entry: string) => void])[] = [
      [/graph\.onnx is missing/, (entry) => rmSync(join(entry, 'graph.onnx'))],
      [/graph\.onnx has \d+ bytes instead of \d+/, (entry) => appendFileSync(join(entry, 'graph.onnx'), 'x')],
      [/graph\.onnx is not what stage\.json names/, (entry) => flip(join(entry, 'graph.onnx'))],
      [/the key is not the digest of the fields/, (entry) => edit(join(entry, 'builder_cache_info.json'), '"stage": "\\"load\\""', '"stage": "\\"other\\""')],
      [/it has no stage\.json/, (entry) => rmSync(join(entry, 'stage.json'))],
      [/its key is that of another operation/, (entry) => edit(join(entry, 'builder_cache_info.json'), '"operation": "load"', '"operation": "quantize"')],
      [/stage\.json is not the one that builder_cache_info\.json names/, (entry) => appendFileSync(join(entry, 'stage.json'), '\n')],
    ];
    for (const [message, damage] of damages) {
      const entry = join(temporaryFolder(), 'tiny', 'load_copy');
      cpSync(entryOf(made, 'load'), entry, { recursive: true });
      for (const file of filesBelow(entry)) replace(join(entry, file), readFileSync(join(entry, file)));
      damage(entry);
      const { code, stdout, stderr } = await main(here, 'attach', entry);
      expect([code, stdout, stderr]).toEqual([3, '', expect.stringMatching(/^STAGE_ATTACH_DAMAGED/)]);
      expect(stderr).toMatch(message);
    }
    expect(existsSync(here.cacheRoot)).toBe(false);
  });

  it.each([
    ['a folder without entries', () => [temporaryFolder()], 'CLI_ATTACH_EMPTY'],
    ['what is not there', () => [join(temporaryFolder(), 'nowhere')], 'CLI_ATTACH_EMPTY'],
    ['a file', () => [made.path('recipe.yaml')], 'CLI_ATTACH_EMPTY'],
    ['entries of a model that is not here', () => [entryOf(made, 'load'), '--model', 'nobody'], 'STAGE_MODEL_UNKNOWN'],
  ] as const)('refuses %s', async (_, words, code) => {
    const here = Workspace.make(RECIPE);
    expect(await main(here, 'attach', ...words())).toEqual({ code: 3, stdout: '', stderr: expect.stringMatching(new RegExp(`^${code}: `)) as string });
    expect(existsSync(here.cacheRoot)).toBe(false);
  });
});

function replace(path: string, bytes: Uint8Array): void {
  rmSync(path);
  writeFileSync(path, bytes);
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  replace(path, bytes);
}

function edit(path: string, before: string, after: string): void {
  const text = readFileSync(path, 'utf8');
  expect(text).toContain(before);
  writeFileSync(path, text.replace(before, after));
}
