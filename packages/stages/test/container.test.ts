import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { partFiles, readContainer, verifyContainer } from '@tundish/container';
import { decodeModel } from '@tundish/graph';
import { uniqueSuffix } from '@tundish/store';
import { beforeAll, describe, expect, test } from 'vitest';
import { type UnitRun, materializeContainer } from '../src/index.js';
import { Workspace, filesBelow, ran, repositoryPath } from './workspace.js';

const BUNDLED = repositoryPath('models/llama32/checkpoint');
const RECIPE = 'checkpoint: ./checkpoint\ngraphs: { ar: [1, 8], cl: [32, 64], parts: 2 }\nquantize: { calibration: { windows: 2, windowLength: 32 } }\n';

let workspace: Workspace;
let runs: Map<string, UnitRun>;
beforeAll(async () => {
  workspace = Workspace.make(RECIPE, BUNDLED);
  runs = await workspace.build('package');
});

const run = (name: string): UnitRun => runs.get(name) as UnitRun;
const outputs = (name: string): string[] => run(name).manifest.outputs.map((output) => output.name);
const blob = (unit: string, name: RegExp): Buffer => {
  const digest = run(unit).manifest.outputs.find((output) => name.test(output.name))?.sha256 ?? '';
  return readFileSync(join(workspace.cacheRoot, 'blobs', 'sha256', digest.slice(0, 2), digest));
};
const file = (name: string): string => blob('package', new RegExp(`^${name.replaceAll('.', '\\.')}$`)).toString('utf8');

describe('what the stages of the bundled checkpoint write', () => {
  test('load, optimize, arcl and transform write no weight byte and refer to the files that hold them', () => {
    for (const name of ['load', 'optimize']) {
      expect(run(name).manifest.externals.map(({ location }) => location), name).toEqual(['model.safetensors']);
      expect(run(name).bytesWritten, name).toBeLessThan(200_000);
    }
    for (const name of runs.keys()) {
      if (!/^(arcl|transform|convert)\//.test(name)) continue;
      expect(outputs(name).filter((output) => output.endsWith('.weights')), name).toEqual([]);
      expect(run(name).manifest.externals.every(({ location }) => location.endsWith('.weights')), name).toBe(true);
      expect(run(name).bytesWritten, name).toBeLessThan(1_000_000);
    }
  });

  test('the graphs of a part have constants of the same names: the order of the weights that they share depends on them', () => {
    const constants = (cell: string): string[] => decodeModel(blob(`convert/${cell}`, /\.onnx$/)).graph.initializers.map(({ name }) => name).sort();
    const [first, ...others] = ['ar1-cl32-2of2', 'ar1-cl64-2of2', 'ar8-cl32-2of2', 'ar8-cl64-2of2'].map(constants);
    expect(first?.length).toBeGreaterThan(50);
    for (const other of others) expect(other).toEqual(first);
  });

  test('a part refers to its own weights only: the embedding to the first, the head to the last', () => {
    const of = (part: string): string[] => run(`transform/ar8-cl32-${part}`).manifest.externals.map(({ location }) => location);
    expect(of('1of2')).toContain('embedding.weights');
    expect(of('2of2')).toContain('lm_head.weights');
    const shared = of('1of2').filter((location) => of('2of2').includes(location));
    expect(shared.every((location) => location === 'zero-points.weights')).toBe(true);
  });

  test('quantize writes one file per piece, both encodings files, and nothing of the checkpoint remains', () => {
    expect(outputs('quantize')).toEqual(expect.arrayContaining(['graph.onnx', 'activations.json', 'embedding.weights', 'block-0.weights', 'lm_head.weights', 'zero-points.weights', 'encodings-1.0.0.json', 'encodings-2.0.0.json']));
    expect(run('quantize').manifest.externals).toEqual([]);
    expect(run('quantize').manifest.facts).toMatchObject({ precision: 'w4a16' });
    // 4-bit weights, an int8 head and a uint16 table are under two thirds of 16-bit weights with a tied table.
    const bytes = run('quantize').manifest.outputs.filter(({ name }) => name.endsWith('.weights')).reduce((sum, { size }) => sum + size, 0);
    expect(bytes).toBeLessThan(0.66 * statSync(workspace.path('checkpoint/model.safetensors')).size);
  });

  test('arcl hands the encodings on as they are', () => {
    const digest = (name: string): string | undefined => run(name).manifest.outputs.find((output) => output.name === 'activations.json')?.sha256;
    expect(digest('arcl/ar8-cl64')).toBe(digest('quantize'));
    expect(digest('arcl/ar1-cl32')).toBe(digest('quantize'));
  });

  test('manifests name no place, no time and no key', () => {
    for (const [path, text] of workspace.manifests()) {
      expect(text, path).not.toContain(workspace.root);
      expect(Object.keys(JSON.parse(text) as object).sort(), path).toEqual(['digest', 'externals', 'facts', 'outputs', 'schema', 'stage', 'subject']);
    }
  });

  test('the encodings file names every weight of the graph and every cache tensor', () => {
    const digest = run('quantize').manifest.outputs.find(({ name }) => name === 'encodings-1.0.0.json')?.sha256 ?? '';
    const text = readFileSync(join(workspace.cacheRoot, 'blobs', 'sha256', digest.slice(0, 2), digest), 'utf8');
    const document = JSON.parse(text) as Record<'activation_encodings' | 'param_encodings', { name: string }[]>;
    const [activations, parameters] = [document.activation_encodings, document.param_encodings].map((entries) => entries.map(({ name }) => name));
    expect(parameters).toEqual(expect.arrayContaining(['model.embed_tokens.weight', 'model.layers.0.mlp.down_proj.weight', 'lm_head.weight']));
    expect(activations).toEqual(expect.arrayContaining(['attention_mask', 'position_ids_cos', 'past_key_0_in', 'past_key_0_out', 'past_value_0_in', 'logits']));
  });
});

describe('the container', () => {
  test('opens, and every digest in its manifest holds', async () => {
    const { folder, bytes } = await materializeContainer({ workspaceRoot: workspace.root, modelRoot: workspace.model, cacheRoot: workspace.cacheRoot });
    const container = await readContainer(folder);
    await verifyContainer(container);
    expect(container.manifest).toMatchObject({ model: 'tiny', contextLengths: [32, 64], ars: [1, 8], vocabularySize: 4096, tokens: { bos: 4091, eos: [4092, 4095] } });
    expect(container.manifest.parts.map(({ graphs }) => graphs.length)).toEqual([4, 4]);
    for (const part of container.manifest.parts) for (const path of partFiles(container, part.part).values()) expect(statSync(path).isFile()).toBe(true);
    expect(filesBelow(folder).sort()).toEqual(run('package').manifest.outputs.map(({ name }) => name).sort());
    expect(bytes).toBe(filesBelow(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0));
  });

  test('genie_config.json has the checkpoint\'s own rope values and tokens', () => {
    const config = JSON.parse(readFileSync(join(BUNDLED, 'config.json'), 'utf8')) as { rope_theta: number; rope_scaling: Record<string, number | string> };
    const { dialog } = JSON.parse(file('genie_config.json')) as { dialog: { context: object; engine: { model: { 'positional-encoding': Record<string, unknown> } } } };
    expect(dialog.engine.model['positional-encoding']).toEqual({
      type: 'rope',
      'rope-dim': 16,
      'rope-theta': config.rope_theta,
      'rope-scaling': {
        'rope-type': 'llama3',
        factor: config.rope_scaling['factor'],
        'low-freq-factor': config.rope_scaling['low_freq_factor'],
        'high-freq-factor': config.rope_scaling['high_freq_factor'],
        'original-max-position-embeddings': config.rope_scaling['original_max_position_embeddings'],
      },
    });
    expect(dialog.context).toMatchObject({ size: 64, 'n-vocab': 4096, 'bos-token': 4091 });
  });

  test('both specializations files list AR x CL', () => {
    const flat = JSON.parse(file('specializations_flat.json')) as unknown;
    const named = JSON.parse(file('specializations.json')) as unknown;
    for (const text of [JSON.stringify(flat), JSON.stringify(named)]) for (const number of ['1', '8', '32', '64']) expect(text).toMatch(new RegExp(`\\b${number}\\b`));
    expect(JSON.stringify(flat)).not.toBe(JSON.stringify(named));
  });

  test('the tokenizer and configuration files are the checkpoint\'s bytes', () => {
    for (const name of ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'chat_template.jinja']) {
      const { sha256 } = run('package').manifest.outputs.find((output) => output.name === name) ?? {};
      expect(sha256, name).toBe(createHash('sha256').update(readFileSync(join(BUNDLED, name))).digest('hex'));
    }
  });

  test('of a checkpoint without tokenizer.json takes ids: it has no tokenizer and no configuration that names one', async () => {
    const bare = Workspace.make(RECIPE.replace(/quantize: .*/, 'quantize: none'), repositoryPath('test/fixtures/golden/llama-mha-fp32'));
    await bare.build('package');
    const { folder } = await materializeContainer({ workspaceRoot: bare.root, modelRoot: bare.model, cacheRoot: bare.cacheRoot });
    expect(filesBelow(folder).filter((name) => /tokenizer|genie/.test(name))).toEqual([]);
    await verifyContainer(await readContainer(folder));
  });
});

describe('putting the container in place', () => {
  const request = (): Parameters<typeof materializeContainer>[0] => ({ workspaceRoot: workspace.root, modelRoot: workspace.model, cacheRoot: workspace.cacheRoot });
  const inodes = (folder: string): number[] => filesBelow(folder).map((name) => statSync(join(folder, name)).ino);

  test('a container that is whole is left alone; its files are the store\'s own', async () => {
    const { folder } = await materializeContainer(request());
    const before = statSync(folder).ino;
    const files = inodes(folder);
    await materializeContainer(request());
    expect(statSync(folder).ino).toBe(before);
    expect(inodes(folder)).toEqual(files);
    const { sha256 } = run('package').manifest.outputs.find(({ name }) => name === 'manifest.json') ?? { sha256: '' };
    expect(statSync(join(folder, 'manifest.json')).ino).toBe(statSync(join(workspace.cacheRoot, 'blobs', 'sha256', sha256.slice(0, 2), sha256)).ino);
  });

  test.each<[string, (folder: string) => void]>([
    ['a file that is gone', (folder) => rmSync(join(folder, 'part_1_of_2'), { recursive: true })],
    ['a file that was replaced by one of equal size', (folder) => {
      const { size } = statSync(join(folder, 'config.json'));
      rmSync(join(folder, 'config.json'));
      writeFileSync(join(folder, 'config.json'), 'x'.repeat(size));
    }],
    ['a file that does not belong there', (folder) => writeFileSync(join(folder, 'part_1_of_2', 'old.onnx'), '')],
    ['a folder that a killed process left beside it', (folder) => {
      const left = `${folder}.${uniqueSuffix().replace(/^\d+/, String(2 ** 22 + 1))}`;
      mkdirSync(left);
      linkSync(join(folder, 'config.json'), join(left, 'config.json'));
      rmSync(join(folder, 'config.json'));
    }],
  ])('repairs %s', async (_what, damage) => {
    const { folder } = await materializeContainer(request());
    damage(folder);
    await materializeContainer(request());
    await verifyContainer(await readContainer(folder));
    expect(filesBelow(folder)).toEqual(run('package').manifest.outputs.map(({ name }) => name).sort());
    expect(readdirSync(join(folder, '..'))).toEqual(['container']);
  });

  test('succeeds for all that do it at once', async () => {
    const { folder } = await materializeContainer(request());
    for (let round = 0; round < 5; round++) {
      rmSync(join(folder, 'config.json'));
      await Promise.all([1, 2, 3].map(() => materializeContainer(request())));
      await verifyContainer(await readContainer(folder));
    }
    expect(readdirSync(join(folder, '..'))).toEqual(['container']);
  });

  test('before package has run is an error that names the file', async () => {
    const empty = Workspace.make(RECIPE, BUNDLED);
    await expect(materializeContainer({ ...request(), workspaceRoot: empty.root })).rejects.toMatchObject({ code: 'STORE_MANIFEST_READ' });
  });

  test('a second build is cached from end to end', async () => {
    expect(ran(await workspace.build('package'))).toEqual([]);
  });
});
