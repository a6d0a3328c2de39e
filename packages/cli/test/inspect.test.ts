/** inspect on everything that a build leaves, on checkpoints, and on damaged files, as a process. */
import { cpSync, ftruncateSync, openSync, closeSync, readFileSync, readdirSync, truncateSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Workspace, repositoryPath, temporaryFolder } from '../../stages/test/workspace.js';
import { builtModel, json, main, tundish } from './built-model.js';

let workspace: Workspace;
beforeAll(async () => {
  workspace = await builtModel('compile');
});

const entryOf = (operation: string): string => {
  const model = join(workspace.cacheRoot, 'tiny');
  return join(model, readdirSync(model).find((name) => name.startsWith(`${operation}_`)) as string);
};

describe('inspect', () => {
  it('resolves a unit to its manifest, and each output to a file that inspect reads in turn', () => {
    const unit = json<{ kind: string; manifest: { stage: string }; entry: string; places: Record<string, string> }>(tundish(workspace, 'inspect', 'tiny:quantize', '--json'));
    expect(unit).toMatchObject({ kind: 'stage manifest', manifest: { stage: 'quantize' }, entry: entryOf('quantize') });
    const graph = json<{ kind: string; inputs: { name: string }[]; nodes: number; external: { location: string }[] }>(tundish(workspace, 'inspect', unit.places['graph.onnx'] as string, '--json'));
    expect(graph.kind).toBe('ONNX graph');
    expect(graph.inputs.map(({ name }) => name)).toContain('input_ids');
    expect(graph.external.map(({ location }) => location)).toContain('block-0.weights');
    const encodings = json<{ version: string; counts: Record<string, Record<string, number>> }>(tundish(workspace, 'inspect', unit.places['encodings-1.0.0.json'] as string, '--json'));
    expect(encodings.version).toBe('1.0.0');
    expect(encodings.counts['parameters']?.['LPBQ 4 bit, blocks of 16']).toBe(14);
  });

  it('reads encodings of AIMET, and says what is wrong with one', async () => {
    const file = (name: string): string => repositoryPath(`packages/quantize/test/fixtures/aimet-encodings/${name}.encodings`);
    const counts = async (name: string): Promise<unknown> => json<{ counts: unknown }>(await main(workspace, 'inspect', file(name), '--json')).counts;
    expect(await counts('tiny_pc_0.6.1')).toEqual({ activations: { 'PER_TENSOR 16 bit asymmetric': 7 }, parameters: { 'PER_CHANNEL 4 bit': 4 } });
    expect(await counts('tiny_bq_1.0.0')).toEqual({ activations: { 'PER_TENSOR 16 bit asymmetric': 7 }, parameters: { 'PER_BLOCK 4 bit, blocks of 32': 3, 'PER_CHANNEL 4 bit': 1 } });
    expect(await counts('tiny_2.0.0')).toEqual({ parameters: { 'LPBQ 4 bit, blocks of 32': 3, 'PER_CHANNEL 32 bit': 1, 'PER_CHANNEL 8 bit': 1 }, 'activations or parameters': { 'PER_TENSOR 16 bit asymmetric': 12 } });
    expect((await main(workspace, 'inspect', file('tiny_1.0.0'))).stdout).toMatch(/^made by: +aimet-onnx 2\.42\.0$/m);
    const damaged = join(temporaryFolder(), 'damaged.encodings');
    writeFileSync(damaged, readFileSync(file('tiny_1.0.0'), 'utf8').replace('"block_size": 32', '"block_size": 0').replace('"block_size":32', '"block_size":0'));
    expect(await main(workspace, 'inspect', damaged)).toMatchObject({ code: 3, stderr: expect.stringMatching(/ENCODINGS_FIELD: w_matmul: block_size must be a whole number/) as string });
  });

  it('says of a unit, an entry and a manifest what its memory was declared and measured to be', async () => {
    const { memory } = json<{ sidecar: { memory: { declared: number; measured: number } } }>(await main(workspace, 'inspect', join(entryOf('quantize'), 'builder_cache_info.json'), '--json')).sidecar;
    expect([memory.declared, memory.measured].every((bytes) => bytes > 10e6)).toBe(true);
    for (const subject of ['tiny:quantize', 'models/tiny/out/quantize/stage.json', join(entryOf('quantize'), 'stage.json')]) {
      expect(json(await main(workspace, 'inspect', subject, '--json')), subject).toMatchObject({ memory });
    }
    for (const subject of ['tiny:quantize', entryOf('quantize')]) {
      expect((await main(workspace, 'inspect', subject)).stdout.match(/^memory: .*$/gm), subject).toEqual([expect.stringMatching(/: +[\d.]+ [MG]B declared, [\d.]+ [MG]B measured/)]);
    }
    const elsewhere = join(temporaryFolder(), 'stage.json');
    cpSync(join(entryOf('quantize'), 'stage.json'), elsewhere);
    expect(json(await main(workspace, 'inspect', elsewhere, '--json'))).toMatchObject({ memory: null });
  });

  it('shows how far a model is built', async () => {
    const { units } = json<{ units: { unit: string; manifest: string | null }[] }>(await main(workspace, 'inspect', 'tiny', '--json'));
    expect(units.filter(({ manifest }) => manifest === null).map(({ unit }) => unit)).toEqual(['package']);
    expect((await main(workspace, 'inspect', 'models/tiny')).stdout).toMatch(/^built: +\d+ of \d+ units$/m);
    expect(json<{ units: { unit: string }[] }>(await main(workspace, 'inspect', 'tiny:compile', '--json')).units.map(({ unit }) => unit)).toEqual(['compile/part1of2', 'compile/part2of2']);
    expect(json(await main(workspace, 'inspect', 'tiny/ar8-cl32-2of2:convert', '--json'))).toMatchObject({ manifest: { stage: 'convert', subject: 'ar8-cl32-2of2' } });
  });

  it('describes entries, sidecars, manifests, locks and checkpoints', async () => {
    const kinds: string[] = [];
    for (const path of [entryOf('load'), join(entryOf('load'), 'builder_cache_info.json'), join(entryOf('load'), 'stage.json'), 'models/tiny/recipe.lock.json', 'models/tiny/checkpoint/model.safetensors', repositoryPath('test/fixtures/gguf/tiny-llama.gguf')]) {
      kinds.push(json<{ kind: string }>(await main(workspace, 'inspect', path, '--json')).kind);
    }
    expect(kinds).toEqual(['cache entry', 'cache entry sidecar', 'stage manifest', 'recipe lock', 'safetensors file', 'GGUF file']);
    expect((await main(workspace, 'inspect', entryOf('quantize'))).stdout).toMatch(/options\.weights\.blockSize = 16/);
  });

  it('says which output of an entry is gone', async () => {
    const copy = join(temporaryFolder(), 'load_copy');
    cpSync(entryOf('load'), copy, { recursive: true });
    unlinkSync(join(copy, 'graph.onnx'));
    const { code, stdout } = await main(workspace, 'inspect', copy);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^state: +not whole: graph\.onnx is missing$/m)]);
  });

  it('reads the header of a file of 5 GB and nothing else', async () => {
    const path = join(temporaryFolder(), 'large.safetensors');
    const length = 5_000_000_000;
    const header = Buffer.from(JSON.stringify({ w: { dtype: 'U8', shape: [length], data_offsets: [0, length] } }));
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(header.length));
    const descriptor = openSync(path, 'w');
    writeSync(descriptor, Buffer.concat([start, header]));
    ftruncateSync(descriptor, 8 + header.length + length);
    closeSync(descriptor);
    expect(json(await main(workspace, 'inspect', path, '--json'))).toMatchObject({ kind: 'safetensors file', weightBytes: length, dtypes: { U8: 1 } });
  });

  it('refuses what is damaged or unknown with one code', async () => {
    const folder = temporaryFolder();
    const damaged = (name: string, content: string | Buffer): string => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const cut = damaged('graph.onnx', readFileSync(join(entryOf('load'), 'graph.onnx')));
    truncateSync(cut, 1000);
    const cases: [string, string][] = [
      [cut, 'ONNX_MALFORMED'],
      [damaged('stage.json', '{ "schema": 1 '), 'STORE_MANIFEST_READ'],
      [damaged('builder_cache_info.json', '{ "operation": "load", "config": {} }'), 'STORE_SIDECAR_INVALID'],
      [damaged('recipe.lock.json', '{ "schema": 99 }'), 'RECIPE_LOCK_SCHEMA'],
      [damaged('x.safetensors', 'nonsense'), 'SAFETENSORS_'],
      [damaged('x.gguf', 'GGUF'), 'GGUF_TRUNCATED'],
      [damaged('noise', Buffer.from([255, 254, 1, 2])), 'CLI_INSPECT_UNKNOWN'],
      [damaged('other.json', '{ "a": 1 }'), 'CLI_INSPECT_UNKNOWN'],
      [folder.replace(/[^/]+$/, 'nowhere'), 'CLI_INSPECT_MISSING'],
      ['tiny:frobnicate', 'STAGE_TARGET'],
      ['nobody:load', 'STAGE_MODEL_UNKNOWN'],
      ['tiny:package', 'STORE_MANIFEST_READ'],
    ];
    for (const [subject, expected] of cases) {
      const { code, stdout, stderr } = await main(workspace, 'inspect', subject);
      expect({ subject, code, stdout, error: stderr.split(':')[0] }).toEqual({ subject, code: 3, stdout: '', error: expect.stringMatching(new RegExp(`^${expected}`)) });
    }
  });
});
