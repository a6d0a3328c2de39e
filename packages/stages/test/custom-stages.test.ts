/** Stages that a recipe names: what they get and give, what their keys hold, and how their faults are told. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TundishError } from '@tundish/diagnostics';
import { type CustomStageLock, type Lock, encodeLock } from '@tundish/recipe';
import { beforeAll, describe, expect, test } from 'vitest';
import { type StageInput, buildModel, buildOutlook, parameterValues, readGraph, replayEntry, runStage } from '../src/index.js';
import { CodeDigests } from '../src/code/code-digests.js';
import { loadCustomStage } from '../src/custom/load-stage.js';
import { FLOAT_RECIPE, Workspace, ran, repositoryPath, workspaceWith } from './workspace.js';

const CELLS = ['ar1-cl32-1of2', 'ar1-cl32-2of2', 'ar8-cl32-1of2', 'ar8-cl32-2of2'];
const AFTER_QUANTIZE = ['arcl/ar1-cl32', 'arcl/ar8-cl32', ...CELLS.map((cell) => `transform/${cell}`), ...CELLS.map((cell) => `convert/${cell}`), 'compile/part1of2', 'compile/part2of2', 'package'];

const EXAMPLE = Object.fromEntries(['prune.ts', 'threshold.ts'].map((name) => [name, readFileSync(repositoryPath(`test/fixtures/stages/${name}`), 'utf8')]));
const PRUNE = '  - use: ./stages/prune.ts\n    after: optimize\n    options: { ratio: 0.25 }\n';

/** A module with one stage; without `run` it hands its graph on. */
function moduleOf(name: string, { run = '({ files: [graphFile(await readGraph(input))], facts: { subject } })', options = '{}', head = '' } = {}): string {
  return `import { WeightFile, defineStage, graphFile, readGraph, z } from '@tundish/stages/custom';\n${head}\nexport const stage = defineStage({ name: '${name}', options: z.strictObject(${options}), run: async (context, { input, subject }) => ${run} });\n`;
}

const entry = (file: string, after = 'optimize'): string => `  - { use: ./stages/${file}, after: ${after} }\n`;

async function refusal(work: Promise<unknown>): Promise<TundishError> {
  const error: unknown = await work.then(() => undefined, (reason: unknown) => reason);
  if (error instanceof TundishError) return error;
  throw new Error('it was not refused', { cause: error });
}

describe('the worked example', () => {
  let built: Workspace;
  beforeAll(async () => {
    built = workspaceWith(PRUNE, EXAMPLE);
    expect(ran(await built.build('package'))).toEqual(['load', 'optimize', 'prune', 'quantize', ...AFTER_QUANTIZE]);
  });

  /** The built workspace after some edits of the stage or the recipe, which are taken back. */
  async function buildWith(edits: Readonly<Record<string, (text: string) => string>>, last = 'package'): Promise<string[]> {
    const originals = Object.keys(edits).map((path) => [path, readFileSync(built.path(path), 'utf8')] as const);
    try {
      for (const [path, edit] of Object.entries(edits)) built.write(path, edit(readFileSync(built.path(path), 'utf8')));
      return ran(await built.build(last));
    } finally {
      for (const [path, text] of originals) built.write(path, text);
    }
  }

  async function weightsOf(stage: string): Promise<Float32Array> {
    const input: StageInput = await (await built.open()).input({ stage, subject: null });
    return parameterValues(input, (await readGraph(input)).graph.value('model.layers.1.mlp.down_proj.weight'));
  }

  test('is pinned in the lock with its defaults, and described', async () => {
    const { custom } = await built.resolve();
    expect(custom).toEqual({ prune: { use: './stages/prune.ts', after: 'optimize', reads: 'optimize', description: 'Sets the smallest weights of the MLP to zero.', options: { ratio: 0.25 }, code: expect.stringMatching(/^[0-9a-f]{64}$/) as string } });
  });

  test('sets exactly the smallest quarter to zero, for everything behind it', async () => {
    const [before, after, seen] = [await weightsOf('optimize'), await weightsOf('prune'), await weightsOf('quantize')];
    const limit = before.map(Math.abs).sort()[before.length / 4 - 1] as number;
    expect(limit).toBeGreaterThan(0);
    expect(after).toEqual(before.map((value) => (Math.abs(value) <= limit ? 0 : value)));
    expect(seen).toEqual(after);
  });

  test('writes the touched tensors once, and nothing behind it writes weights that it wrote', () => {
    const manifest = JSON.parse(built.manifests().get('quantize/stage.json') ?? '') as { outputs: { name: string }[]; externals: { location: string }[] };
    expect(manifest.outputs.map(({ name }) => name)).toEqual(['graph.onnx']);
    expect(manifest.externals.map(({ location }) => location)).toEqual(['model.safetensors', 'prune.weights']);
  });

  test('has an entry like any other, with its code and its options in the key', () => {
    const { entries, temporary } = built.leftovers();
    const own = entries.filter((name) => name.startsWith('prune_'));
    expect(own).toHaveLength(1);
    expect(temporary).toEqual([]);
    const { config } = JSON.parse(readFileSync(join(built.cacheRoot, 'tiny', own[0] as string, 'builder_cache_info.json'), 'utf8')) as { config: Record<string, string> };
    expect(Object.keys(config).sort()).toEqual(expect.arrayContaining(['code', 'options.given.ratio', 'options.subject', 'stage', 'upstream.optimize']));
  });

  test('is a hit when nothing changed, for buildModel and runStage too', async () => {
    await built.lock();
    expect((await buildModel(built.request())).filter(({ status }) => status === 'run')).toEqual([]);
    expect(await runStage({ ...built.request(), stage: 'prune' })).toMatchObject({ status: 'cached', bytesWritten: 0 });
  });

  test('is seen by plan, and replayed from its entry like the stages that read it', async () => {
    await built.lock();
    const pipeline = await built.open();
    expect((await buildOutlook(pipeline)).filter(({ state }) => state !== 'cached')).toEqual([]);
    const { hubCache, adapters, reporter, signal, threads } = built.request();
    for (const stage of ['prune', 'quantize', 'arcl']) {
      const entry = join(built.cacheRoot, 'tiny', built.leftovers().entries.find((name) => name.startsWith(`${stage}_`)) as string);
      const report = await replayEntry({ entry, modelFolder: built.path('.'), hubCache, adapters, reporter, signal, threads });
      expect(report).toMatchObject({ stage, manifestEqual: true, changed: [] });
      expect(report.outputs.every(({ equal }) => equal)).toBe(true);
    }
  });

  test('runs again alone when an import of it is edited and the result is equal', async () => {
    expect(await buildWith({ 'stages/threshold.ts': (text) => `${text}// edited\n` })).toEqual(['prune']);
  });

  test('runs again with what depends on it when its result changes: by its code, by its options, by a default', async () => {
    const behind = (runs: readonly string[]): void => expect(runs).toEqual(['prune', 'quantize']);
    behind(await buildWith({ 'stages/threshold.ts': (text) => text.replace('- 1]', '- 999]') }, 'quantize'));
    behind(await buildWith({ 'recipe.yaml': (text) => text.replace('0.25', '0.75') }, 'quantize'));
    behind(await buildWith({ 'recipe.yaml': (text) => text.replace('    options: { ratio: 0.25 }\n', '') }, 'quantize'));
    // The default of the schema is 0.5: the same key when it is written out.
    expect(await buildWith({ 'recipe.yaml': (text) => text.replace('0.25', '0.5') }, 'quantize')).toEqual([]);
  });

  test('is refused when its code was edited after the lock was written', async () => {
    await built.lock();
    const text = readFileSync(built.path('stages/threshold.ts'), 'utf8');
    built.write('stages/threshold.ts', `${text}// edited\n`);
    const { code, evidence } = await refusal(runStage({ ...built.request(), stage: 'prune' }));
    built.write('stages/threshold.ts', text);
    expect(code).toBe('STAGE_CUSTOM_CHANGED');
    expect(evidence.path).toBe(built.path('stages/prune.ts'));
  });
});

test('stages may stand in every place, several in one, and from a package; each takes what the one before it gave', async () => {
  const places = { 'first.ts': 'load', 'second.ts': 'optimize', 'third.js': 'optimize', 'fourth.ts': 'quantize', 'pairs.ts': 'arcl', 'parts-of.ts': 'transform' };
  const files = Object.fromEntries(Object.keys(places).map((file) => [file, moduleOf(file.replace(/\..*/, ''))]));
  const workspace = workspaceWith(`${Object.entries(places).map(([file, after]) => entry(file, after)).join('')}  - { use: '@acme/last', after: transform }\n`, files);
  const installed = join(workspace.root, 'node_modules/@acme/last');
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, 'package.json'), '{ "name": "@acme/last", "version": "1.0.0", "type": "module", "exports": { "import": "./main.js" } }');
  writeFileSync(join(installed, 'main.js'), moduleOf('last').replace('export const stage =', 'export default'));

  const runs = await workspace.build('package');
  expect([...runs.keys()]).toEqual([
    'load', 'first', 'optimize', 'second', 'third', 'quantize', 'fourth', 'arcl/ar1-cl32', 'arcl/ar8-cl32', 'pairs/ar1-cl32', 'pairs/ar8-cl32',
    ...['transform', 'parts-of', 'last', 'convert'].flatMap((stage) => CELLS.map((cell) => `${stage}/${cell}`)), 'compile/part1of2', 'compile/part2of2', 'package',
  ]);
  expect(runs.get('pairs/ar8-cl32')?.manifest.facts).toMatchObject({ subject: 'ar8-cl32' });
  // What lies beside the graph is handed on: later stages read it from the result that stands for load.
  expect(runs.get('first')?.manifest.outputs.map(({ name }) => name).sort()).toEqual(['adaptation.json', 'graph.onnx', 'model.json']);
  expect([...workspace.manifests().keys()]).toEqual(expect.arrayContaining(['pairs/ar1-cl32/stage.json', 'cells/ar1-cl32-1of2/last/stage.json']));
  expect(ran(await workspace.build('package'))).toEqual([]);
  const { custom: before } = await workspace.resolve();
  writeFileSync(join(installed, 'package.json'), readFileSync(join(installed, 'package.json'), 'utf8').replace('1.0.0', '1.0.1'));
  const { custom: after } = await workspace.resolve();
  expect(Object.keys(before ?? {}).filter((name) => before?.[name]?.code !== after?.[name]?.code)).toEqual(['last']);
});

test('no name of an option hides it from the key', async () => {
  const stages = entry('a.ts').replace('}', ', options: { subject: one } }');
  const workspace = workspaceWith(stages, { 'a.ts': moduleOf('a', { options: '{ subject: z.string() }' }) });
  expect(ran(await workspace.build('a'))).toEqual(['load', 'optimize', 'a']);
  workspace.write('recipe.yaml', readFileSync(workspace.path('recipe.yaml'), 'utf8').replace('subject: one', 'subject: two'));
  expect(ran(await workspace.build('a'))).toEqual(['a']);
});

describe('a recipe is refused, with the line that names the stage,', () => {
  const cases: readonly [string, string, Readonly<Record<string, string>>, string, RegExp][] = [
    ['for a file that is not there', entry('none.ts'), {}, 'STAGE_CUSTOM_MISSING', /there is no such file/],
    ['for a file that is no module', entry('a.txt'), { 'a.txt': '' }, 'STAGE_CUSTOM_MISSING', /does not end in/],
    ['for a package that is not installed', '  - { use: left-over, after: load }\n', {}, 'STAGE_CUSTOM_MISSING', /npm install left-over/],
    ['for an import whose name is computed', entry('a.ts'), { 'a.ts': moduleOf('a', { head: 'const other = await import(process.argv[1] ?? "");' }) }, 'STAGE_CODE', /computed.*a\.ts:2/s],
    ['for a module that throws', entry('a.ts'), { 'a.ts': 'throw new Error("no luck");\n' }, 'STAGE_CUSTOM_LOAD', /no luck/],
    ['for a module that ends the process', entry('a.ts'), { 'a.ts': 'process.exit(0);\n' }, 'STAGE_CUSTOM_LOAD', /it ended/],
    ['for a schema that gives no JSON', entry('a.ts'), { 'a.ts': moduleOf('a', { options: '{ at: z.any().default(() => new Date(0)) }' }) }, 'STAGE_CUSTOM_EXPORT', /not JSON data/],
    ['for the name of a stage of Tundish', entry('a.ts'), { 'a.ts': moduleOf('quantize') }, 'STAGE_CUSTOM_NAME', /of every model/],
    ['for a name that is taken', `  - { use: ./stages/b.ts, after: load }\n${entry('a.ts')}`, { 'a.ts': moduleOf('a'), 'b.ts': moduleOf('a') }, 'STAGE_CUSTOM_NAME', /earlier entry/],
    ['for options that the schema refuses', `${entry('b.ts')}  - use: ./stages/a.ts\n    after: optimize\n    options:\n      mode: fast\n      depth: 7\n`, { 'a.ts': moduleOf('a', { options: '{ mode: z.string(), depth: z.number().max(5) }' }), 'b.ts': moduleOf('b') }, 'STAGE_CUSTOM_OPTIONS', /stages\[1\]\.options\.depth of a: .*recipe\.yaml:10:7/s],
  ];
  test.each(cases)('%s', async (_, stages, files, code, message) => {
    const workspace = workspaceWith(stages, files);
    const error = await refusal(workspace.lock());
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.evidence.path).toBe(workspace.path('recipe.yaml'));
    expect(error.evidence.line).toBeGreaterThan(4);
  });

  test.each([
    ['an unknown key of an entry', '  - { use: ./a.ts, afer: load }\n', 'RECIPE_UNKNOWN_KEY', /did you mean after/],
    ['a place that there is not', '  - { use: ./a.ts, after: compile }\n', 'RECIPE_VALUE', /stages\[0\]\.after must be one of load/],
    ['a use that is neither path nor package', '  - { use: "~/a b.ts", after: load }\n', 'RECIPE_VALUE', /neither a path nor the name/],
  ])('for %s, before any module is loaded', async (_, stages, code, message) => {
    const error = await refusal(workspaceWith(stages, {}).lock());
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

test.each([
  ['exports none', 'export const other = 1;\n', 'STAGE_CUSTOM_EXPORT', /neither `stage`/],
  ['has no schema', 'export const stage = { name: "a", options: {}, run: () => ({}) };\n', 'STAGE_CUSTOM_EXPORT', /`options` is not a zod schema/],
  ['has no run', moduleOf('a').replace('run:', 'walk:'), 'STAGE_CUSTOM_EXPORT', /`run` is not a function/],
  ['has a name with spaces', moduleOf('My Stage'), 'STAGE_CUSTOM_NAME', /lower-case/],
  ['imports what is not there', moduleOf('a', { head: 'import "./none.js";' }), 'STAGE_CUSTOM_LOAD', /none\.js/],
  ['is no TypeScript', 'export const = ;\n', 'STAGE_CUSTOM_LOAD', /a\.ts/],
])('a module that %s is refused by its path', async (_, text, code, message) => {
  const path = workspaceWith(entry('a.ts'), { 'a.ts': text }).path('stages/a.ts');
  const error = await refusal(loadCustomStage(path));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  expect(error.evidence.path).toBe(path);
});

describe('a stage that goes wrong leaves nothing, and its file is named:', () => {
  const external = (change: string): string => `{ const model = await readGraph(input); const value = model.graph.initializers.find(({ tensor }) => tensor?.kind === 'external'); value.tensor = { ...value.tensor, ${change} }; return { files: [graphFile(model)] }; }`;
  const cases: readonly [string, string, string, RegExp][] = [
    ['it throws', '{ await 0;\n  throw new Error("no luck"); }', 'STAGE_CUSTOM_FAILED', /a failed: no luck[^]*a\.ts:4/],
    ['it gives nothing', '{}', 'STAGE_CUSTOM_RESULT', /no list of files/],
    ['it gives no graph', '({ files: [] })', 'STAGE_CUSTOM_RESULT', /made no graph\.onnx/],
    ['its graph is none', '({ files: [{ name: "graph.onnx", mediaType: "application/onnx", bytes: new Uint8Array(9).fill(255) }] })', 'STAGE_CUSTOM_RESULT', /cannot be read: ONNX_/],
    ['its file was not written', '({ files: [graphFile(await readGraph(input)), { name: "x.weights", mediaType: "x/y", path: `${context.scratch}/x` }] })', 'STAGE_CUSTOM_RESULT', /did not write it/],
    ['an external is nowhere', external("location: 'lost.weights'"), 'STAGE_CUSTOM_RESULT', /refers to lost\.weights/],
    ['an external is beyond its file', external('offset: 1e9'), 'STAGE_CUSTOM_RESULT', /which has 319560/],
    ['its file has the name of one of the input', '{ const file = new WeightFile(context.scratch, "model.safetensors"); return { files: [graphFile(await readGraph(input)), file.finish()] }; }', 'STAGE_CUSTOM_RESULT', /name of a weight file of its input/],
    ['its own promise is broken', '({ files: [graphFile(await readGraph(input))] }), ensures: () => { throw new Error("not so"); }', 'STAGE_CUSTOM_FAILED', /a failed: not so/],
  ];
  let workspace: Workspace;
  let lock: Lock;
  beforeAll(async () => {
    workspace = workspaceWith(entry('a.ts'), { 'a.ts': moduleOf('a') });
    lock = await workspace.lock();
  });

  test.each(cases)('%s', async (_, run, code, message) => {
    const path = workspace.path('stages/a.ts');
    workspace.write('stages/a.ts', moduleOf('a', { run }));
    // The lock of an edited module, without the thread that would describe it again.
    const pin = await new CodeDigests(workspace.cacheRoot).digest([pathToFileURL(path)], 'named');
    workspace.write('recipe.lock.json', new TextDecoder().decode(encodeLock({ ...lock, custom: { a: { ...lock.custom?.['a'], code: pin } as CustomStageLock } })));
    const error = await refusal(runStage({ ...workspace.request(), stage: 'a' }));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.evidence.path).toBe(path);
    const left = workspace.leftovers();
    expect(left.entries.map((name) => name.split('_')[0]).sort()).toEqual(['load', 'optimize']);
    expect(left.temporary).toEqual([]);
    expect(left.manifests).toEqual(['load/stage.json', 'optimize/stage.json']);
  });

  test('the caller stops it', async () => {
    workspace = workspaceWith(entry('a.ts'), { 'a.ts': moduleOf('a', { run: '{ await new Promise((resolve) => context.signal.addEventListener("abort", resolve)); throw new Error("late"); }' }) });
    await workspace.lock();
    const stop = new AbortController();
    const pipeline = await workspace.open({ signal: stop.signal });
    await pipeline.run({ stage: 'optimize', subject: null });
    const running = pipeline.run({ stage: 'a', subject: null });
    setTimeout(() => stop.abort(new Error('enough')), 500);
    await expect(running).rejects.toThrow('enough');
    expect(workspace.leftovers().temporary).toEqual([]);
  });

  test('a name that the lock does not have', async () => {
    workspace = Workspace.make(FLOAT_RECIPE);
    await workspace.lock();
    expect((await refusal(runStage({ ...workspace.request(), stage: 'prune' }))).code).toBe('STAGE_SUBJECT_UNKNOWN');
  });
});

test('a package of the workspace itself is followed as files are, and imports without an ending too', async () => {
  const workspace = workspaceWith(entry('a.ts'), { 'a.ts': moduleOf('a', { head: "import '@acme/lib';\nimport './inner/b';" }), 'inner/b.ts': 'export const b = 1;\n' });
  cpSync(workspace.path('stages/inner'), join(workspace.root, 'lib'), { recursive: true });
  writeFileSync(join(workspace.root, 'lib/package.json'), '{ "name": "@acme/lib", "version": "0.0.0", "type": "module", "main": "b.ts" }');
  mkdirSync(join(workspace.root, 'node_modules/@acme'));
  symlinkSync(join(workspace.root, 'lib'), join(workspace.root, 'node_modules/@acme/lib'));
  const code = (): Promise<string> => new CodeDigests(workspace.cacheRoot).digest([pathToFileURL(workspace.path('stages/a.ts'))], 'named');
  expect((await workspace.resolve()).custom?.['a']?.code).toBe(await code());
  const first = await code();
  workspace.write('stages/inner/b.ts', 'export const b = 2;\n');
  const second = await code();
  writeFileSync(join(workspace.root, 'lib/b.ts'), 'export const b = 2;\n');
  expect(new Set([first, second, await code()]).size).toBe(3);
});
