/** What no stage reads is in no key: nothing runs after these changes, without Nx and with it. */
import { cpSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Installation, Model, RECIPE } from './model.js';
import { expectRan, row } from './row.js';

/** As RECIPE, with every default written out that a recipe of this checkpoint may have (`import` belongs to GGUF files). */
const EXPLICIT = `# the same build
generation: { maxTokens: 256 }
evaluate: { text: ./checkpoint/eval.txt, format: text, protocol: mini, windowLength: 512 }
package: {}
compile: { prepack: true }
convert: { numerics: exact, rotaryEmbedding: composed }
transform: { mha2sha: false }
quantize:
  calibration: { windowLength: 48, windows: 2, format: text, text: ./checkpoint/calibration.txt }
  kvCache: { bits: 8, granularity: tensor }
  activations: { bits: 16, observer: { method: minmax } }
  embedding: { bits: 16 }
  lmHead: { bits: 8 }
  weights: { blockSize: 32, bits: 4, scheme: lpbq }
  overrides: []
  refine: { method: none }
  polish: 0
  floatWindows: all
  correction: 0
  rounding: { method: nearest }
  scales: { search: minmax }
  smoothing: { method: none }
  recipe: minmax
optimize: { foldNormGains: false, rotate: { r1: false, r2: false, r3: false } }
graphs: { parts: 1, cl: [64], ar: [16] }
toolchain: host
checkpoint: ./checkpoint
`;

let installation: Installation;
/** In the workspace itself, so that Nx knows it too. */
let base: Model;
beforeAll(async () => {
  installation = await Installation.make();
  base = Model.make(installation, { root: installation.workspace.root });
  await base.build();
  await installation.workspace.commit();
});
afterAll(() => installation.workspace.remove());

function hit(change: string, apply: (model: Model) => void, request: Parameters<Model['build']>[1] = {}): void {
  row('must hit', change, async () => {
    const model = base.copy();
    apply(model);
    const before = model.manifest('package');
    const found = expectRan(await model.build('package', request), []);
    expect(model.manifest('package')).toBe(before);
    model.remove();
    return found;
  });
}

describe('without Nx', () => {
  hit('a moved checkout', () => undefined);
  hit('touched files', (model) => {
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'calibration.txt']) utimesSync(model.path(`checkpoint/${file}`), new Date(), new Date());
  });
  hit('comments and the order of keys', (model) => model.write('recipe.yaml', `# a comment\n${RECIPE.split('\n').reverse().join('\n')}`));
  hit('every default written out', (model) => model.write('recipe.yaml', EXPLICIT));
  hit('option evaluate.protocol', (model) => model.edit('recipe.yaml', (text) => `${text}evaluate: { text: ./recipe.yaml, format: jsonl, protocol: gptq-2048 }\n`));
  hit('option evaluate', (model) => model.edit('recipe.yaml', (text) => `${text}evaluate: { text: ./recipe.yaml, windowLength: 64 }\n`));
  hit('option observers', (model) => {
    model.write('observers/quiet.mjs', 'export const observer = () => undefined;\n');
    model.edit('recipe.yaml', (text) => `${text}observers: [./observers/quiet.mjs]\n`);
  });
  hit('the names of the checkpoint folder and of the calibration text', (model) => {
    renameSync(model.path('checkpoint'), model.path('weights'));
    cpSync(model.path('weights/calibration.txt'), model.path('any.txt'));
    model.edit('recipe.yaml', (text) => text.replace('./checkpoint', './weights').replace('calibration: {', 'calibration: { text: ./any.txt,'));
  });
  hit('a file that is not part of the checkpoint', (model) => model.write('checkpoint/NOTES.md', 'anything'));
  hit('number of threads', () => undefined, { threads: 1 });
  hit('a reporter that shows everything', () => undefined, { reporter: { info: (text) => void text, warn: (text) => void text, progress: (step) => void step } });
  row('must hit', 'another model\'s change', async () => {
    const model = base.copy();
    cpSync(model.path('.'), model.path('../other'), { recursive: true });
    writeFileSync(model.path('../other/recipe.yaml'), RECIPE.replace('windows: 2', 'windows: 1'));
    return expectRan(await model.build(), []);
  });
});

describe('with Nx', () => {
  const stages = ['load', 'optimize', 'quantize', 'arcl', 'ar16-cl64-1of1:transform', 'ar16-cl64-1of1:convert', 'part1of1:compile', 'package'];

  /** Runs the model; no unit may run, whether Nx answers or starts every task and the store answers. */
  async function throughNx(by: 'Nx' | 'store', environment: Readonly<Record<string, string>> = {}, options: readonly string[] = []): Promise<string> {
    const { workspace } = installation;
    const before = workspace.runs();
    const { code, output } = await workspace.nx(['run', 'mini:compile', ...options], environment);
    expect(output).toContain('container: models/mini/artifacts/container');
    expect(code).toBe(0);
    expect(workspace.ran(before)).toEqual(by === 'Nx' ? {} : Object.fromEntries(stages.map((task) => [task, 'cached'])));
    return by === 'Nx' ? 'all from Nx' : `${stages.length} tasks started, all from the store`;
  }

  async function changed<T>(path: string, change: (text: string) => string, use: () => Promise<T>): Promise<T> {
    const { workspace } = installation;
    const before = workspace.read(path);
    workspace.write({ [path]: change(before) });
    try {
      return await use();
    } finally {
      workspace.write({ [path]: before });
    }
  }

  row('must hit', 'Nx, after a build without it', () => throughNx('store'));
  row('must hit', 'a build without Nx, after Nx', async () => expectRan(await base.build(), []));
  row('must hit', 'nx.json', () => changed('nx.json', (text) => `${text}\n`, () => throughNx('store')));
  row('must hit', '.gitignore', () => changed('.gitignore', (text) => `${text}# more\n`, () => throughNx('store')));
  row('must hit', 'lockfile', () => changed('package-lock.json', (text) => text.replace('"packages": {}', '"packages": { "node_modules/left-pad": { "version": "1.3.0" } }'), () => throughNx('Nx')));
  row('must hit', 'another model in the workspace', async () => {
    installation.workspace.write({ 'models/other/project.json': '{ "name": "other" }\n', 'models/other/recipe.yaml': RECIPE.replace('windows: 2', 'windows: 1') });
    cpSync(base.path('checkpoint'), join(installation.workspace.root, 'models/other/checkpoint'), { recursive: true });
    return throughNx('Nx');
  });
  row('must hit', 'log level, colour, threads, another user\'s home', () => throughNx('store', { NX_VERBOSE_LOGGING: 'true', NO_COLOR: '', FORCE_COLOR: '1', TUNDISH_THREADS: '1', HOME: join(tmpdir(), 'nobody') }, ['--skip-nx-cache']));
  row('must hit', 'daemon on', () => throughNx('Nx', { NX_DAEMON: 'true' }));
});

