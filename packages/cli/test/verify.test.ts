/** verify on a built model: every kind of damage is found where it is, and the remedy that it names works. */
import { chmodSync, cpSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readManifest } from '@tundish/store';
import { Pipeline, restoreContainer } from '@tundish/stages';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WEIGHTS_ONLY_RECIPE, type Workspace } from '../../stages/test/workspace.js';
import { build, builtModel, copyOf, json, main, tundish } from './built-model.js';

interface Report {
  readonly files: number;
  readonly entries: number;
  readonly damage: { path: string; what: string; fix: string }[];
}

let pristine: Workspace;
let workspace: Workspace;
beforeAll(async () => {
  pristine = await builtModel('package', WEIGHTS_ONLY_RECIPE);
  await restoreContainer(await Pipeline.open(pristine.request({ inputsInPlace: true })));
});
beforeEach(() => {
  workspace = copyOf(pristine);
});

/** The blob of an output. */
function blobOf(unit: string, name: string): string {
  const { sha256 } = readManifest(workspace.path(`out/${unit}/stage.json`)).outputs.find((output) => output.name === name) as { sha256: string };
  return join(workspace.cacheRoot, 'blobs', 'sha256', sha256.slice(0, 2), sha256);
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[100] = (bytes[100] as number) ^ 1;
  chmodSync(path, 0o644);
  writeFileSync(path, bytes);
}

const entryOf = (operation: string): string => join(workspace.cacheRoot, 'tiny', readdirSync(join(workspace.cacheRoot, 'tiny')).find((name) => name.startsWith(`${operation}_`)) as string);
const damageOf = async (...words: string[]): Promise<[string, string][]> => json<Report>(await main(workspace, 'verify', ...words, '--json'), 1).damage.map(({ path, what }) => [path, what]);

describe('verify', () => {
  it('finds nothing in a fresh build, whole or of one model, with links or copies', async () => {
    for (const place of [pristine, workspace]) {
      const [all, one] = [json<Report>(tundish(place, 'verify', '--json')), json<Report>(await main(place, 'verify', 'tiny', '--json'))];
      expect([all.damage, one.damage]).toEqual([[], []]);
      expect([all.entries, one.entries]).toEqual([readdirSync(join(place.cacheRoot, 'tiny')).length, 16]);
    }
  });

  it('finds a flipped bit, a cut and a lost blob, for the store and for the model', async () => {
    const [flipped, cut, lost] = [blobOf('quantize', 'block-0.weights'), blobOf('quantize', 'graph.onnx'), blobOf('load', 'graph.onnx')];
    flip(flipped);
    chmodSync(cut, 0o644);
    truncateSync(cut, 10);
    rmSync(lost);
    for (const words of [[], ['tiny']]) {
      const damage = await damageOf(...words);
      expect(damage.map(([path]) => path).sort()).toEqual([flipped, cut, lost].sort());
      expect(new Map(damage).get(flipped)).toMatch(/^the blob holds other bytes: its sha256 is [0-9a-f]{64}, it should be/);
      expect(new Map(damage).get(cut)).toMatch(/^the blob has 10 bytes instead of/);
      expect(new Map(damage).get(lost)).toBe('the blob is not there');
    }
  });

  it('names a remedy that works', async () => {
    const blob = blobOf('quantize', 'block-0.weights');
    flip(blob);
    const [{ fix }] = json<Report>(await main(workspace, 'verify', 'tiny', '--json'), 1).damage as [Report['damage'][0]];
    expect(fix).toContain(`delete it and the folder ${entryOf('quantize')}`);
    rmSync(blob);
    rmSync(entryOf('quantize'), { recursive: true });
    await build(workspace, 'package');
    expect((await main(workspace, 'verify', 'tiny')).code).toBe(0);
  });

  it('finds damage in entries, in the checkpoint, in the container and in manifests', async () => {
    const info = join(entryOf('load'), 'builder_cache_info.json');
    writeFileSync(info, readFileSync(info, 'utf8').replace('"stage": "\\"load', '"stage": "\\"lead'));
    writeFileSync(join(entryOf('optimize'), 'stage.json'), '{}');
    flip(join(entryOf('quantize'), 'graph.onnx'));
    flip(workspace.path('checkpoint/model.safetensors'));
    flip(workspace.path('artifacts/container/config.json'));
    writeFileSync(workspace.path('out/package/stage.json'), '{');
    const stray = join(workspace.cacheRoot, 'blobs', 'sha256', 'ab', 'notes.txt');
    cpSync(workspace.path('recipe.yaml'), stray);
    const store = new Map(await damageOf());
    expect([...store.keys()].sort()).toEqual([entryOf('load'), entryOf('optimize'), join(entryOf('quantize'), 'graph.onnx'), stray].sort());
    expect(store.get(entryOf('load'))).toBe('the key is not the digest of the fields that builder_cache_info.json lists');
    const model = (await damageOf('tiny')).map(([path]) => path.slice(workspace.root.length + 1));
    expect(model).toEqual(expect.arrayContaining(['models/tiny/checkpoint/model.safetensors', 'models/tiny/artifacts/container/config.json', 'models/tiny/out/package/stage.json']));
    expect(model).not.toContain('.tundish/cache/blobs/sha256/ab/notes.txt');
  });

  it('prints each damaged thing with its remedy, and how much was read', async () => {
    flip(blobOf('quantize', 'block-0.weights'));
    const { code, stdout } = await main(workspace, 'verify');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^damaged {2}\S+\n {2}what: the blob holds other bytes: .*\n {2}fix: {2}delete it and the folder .*\nread \d+ files, [\d.]+ .B, of \d+ cache entries: 1 damaged\n$/);
  });
});
