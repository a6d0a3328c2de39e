/** Whatever a stage reads is in its key: each row changes one thing and names the stages that run. */
import { appendFileSync, copyFileSync, cpSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ToolchainIdentity } from '@tundish/toolchain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHECKPOINT, REPOSITORY } from '../e2e/nx-workspace.js';
import { Installation, Model, RECIPE, flipBit } from './model.js';
import { recipeOptions } from '../../packages/recipe/test/recipe-options.js';
import { expectRan, row } from './row.js';

const GRAPHS = ['arcl', 'transform', 'convert', 'compile', 'package'];
const FROM_QUANTIZE = ['quantize', ...GRAPHS];
const EVERYTHING = ['load', 'optimize', ...FROM_QUANTIZE];

/** What follows depends on whether this machine has the operators whose weights are packed already. */
const ANYTHING_LATER = '…';

let installation: Installation;
let base: Model;
beforeAll(async () => {
  installation = await Installation.make();
  base = Model.make(installation);
  expect(await base.build()).toEqual(EVERYTHING);
});
afterAll(() => installation.workspace.remove());

/** The example of the docs, with the packages that it imports. */
function addStage(model: Model): void {
  cpSync(join(REPOSITORY, 'test/fixtures/stages'), model.path('stages'), { recursive: true });
  symlinkSync(join(installation.workspace.root, 'node_modules'), join(model.root, 'node_modules'));
}

/** A copy is changed and built: these stages have to run, and no other. */
function miss(change: string, stages: readonly string[], apply: (model: Model) => void): void {
  row('must miss', change, async () => {
    const model = base.copy();
    apply(model);
    const ran = await model.build();
    const found = stages.at(-1) === ANYTHING_LATER ? expectRan(ran.slice(0, stages.length - 1), stages.slice(0, -1)) : expectRan(ran, stages);
    model.remove();
    return found;
  });
}

const replaced = (from: string, to: string) => (text: string): string => {
  if (!text.includes(from)) throw new Error(`there is no ${from}`);
  return text.replace(from, to);
};

describe('the checkpoint', () => {
  miss('one bit of a weight, its time restored', EVERYTHING, (model) => flipBit(model.path('checkpoint/model.safetensors')));
  miss('the same bytes under another tensor name', EVERYTHING, (model) => {
    const path = model.path('checkpoint/model.safetensors');
    const bytes = readFileSync(path).toString('latin1');
    const [k, v] = ['layers.0.self_attn.k_proj', 'layers.0.self_attn.v_proj'] as const;
    const aside = '-'.repeat(k.length);
    writeFileSync(path, Buffer.from([[v, aside], [k, v], [aside, k]].reduce((text, [from, to]) => replaced(from as string, to as string)(text), bytes), 'latin1'));
  });
  miss('tokenizer', ['load', 'quantize', 'package'], (model) => model.edit('checkpoint/tokenizer.json', (text) => `${text}\n`));
  miss('chat template', ['package'], (model) => model.edit('checkpoint/chat_template.jinja', (text) => `${text} `));
  miss('rope scaling', EVERYTHING, (model) => model.edit('checkpoint/config.json', replaced('"factor": 8.0', '"factor": 4.0')));
  row('must miss', 'shards that changed places, and their index with them', async () => {
    const sharded = Model.make(installation, { recipe: 'checkpoint: ./checkpoint\ngraphs: { ar: [1], cl: [32] }\nquantize: none\n', checkpoint: join(REPOSITORY, 'test/fixtures/golden/llama-sharded-fp16') });
    expect(await sharded.build('load')).toEqual(['load']);
    const [first, second] = ['model-00001-of-00005.safetensors', 'model-00002-of-00005.safetensors'] as const;
    for (const [from, to] of [[first, 'aside'], [second, first], ['aside', second]] as const) renameSync(sharded.path(`checkpoint/${from}`), sharded.path(`checkpoint/${to}`));
    sharded.edit('checkpoint/model.safetensors.index.json', (text) => text.replaceAll(first, 'aside').replaceAll(second, first).replaceAll('aside', second));
    return expectRan(await sharded.build('load'), ['load']);
  });
});

describe('the calibration', () => {
  const text = 'checkpoint/calibration.txt';
  const halves = (whole: string): [string, string] => [whole.slice(0, whole.length / 2), whole.slice(whole.length / 2)];
  miss('calibration text', FROM_QUANTIZE, (model) => model.edit(text, (whole) => whole.slice(3000)));
  miss('calibration text in another order', FROM_QUANTIZE, (model) => model.edit(text, (whole) => halves(whole).reverse().join('')));
});

/** Every option of the recipe: another value and the stages that read it, or why there is no row. */
const OPTIONS: Readonly<Record<string, readonly [change: (text: string) => string, stages: readonly string[]] | string>> = {
  checkpoint: [(text) => text.replace('./checkpoint', './other'), EVERYTHING],
  'import.dtype': 'has a row of its own: only GGUF files are imported',
  toolchain: 'has a row of its own: another one needs its libraries',
  chipset: 'has a row of its own: only a device reads it',
  'graphs.ar': [replaced('ar: [16]', 'ar: [8]'), GRAPHS],
  'graphs.cl': [replaced('[64]', '[32]'), GRAPHS],
  'graphs.parts': [replaced('parts: 1', 'parts: 2'), ['transform', 'convert', 'compile', 'package']],
  'optimize.foldNormGains': [(text) => `${text}optimize: { foldNormGains: true }\n`, ['optimize', ...FROM_QUANTIZE]],
  'optimize.rotate.r1': [(text) => `${text}optimize: { rotate: { r1: true } }\n`, ['optimize', ...FROM_QUANTIZE]],
  'optimize.rotate.r2': [(text) => `${text}optimize: { rotate: { r2: true } }\n`, ['optimize', ...FROM_QUANTIZE]],
  'optimize.rotate.r3': [(text) => `${text}optimize: { rotate: { r3: true } }\n`, ['optimize', ...FROM_QUANTIZE]],
  quantize: [(text) => text.replace(/quantize: .*/, 'quantize: none'), FROM_QUANTIZE],
  'quantize.recipe': [replaced('recipe: minmax', 'recipe: fast'), FROM_QUANTIZE],
  'quantize.smoothing': [replaced('quantize: {', 'quantize: { smoothing: { method: awq, points: 3 },'), FROM_QUANTIZE],
  'quantize.scales': [replaced('quantize: {', 'quantize: { scales: { search: grid, weighting: none },'), FROM_QUANTIZE],
  'quantize.rounding': [replaced('quantize: {', 'quantize: { rounding: { method: gptq },'), FROM_QUANTIZE],
  'quantize.correction': [replaced('quantize: {', 'quantize: { correction: 0.5,'), FROM_QUANTIZE],
  'quantize.refine': [replaced('quantize: {', 'quantize: { refine: { method: signround, iterations: 1 },'), FROM_QUANTIZE],
  'quantize.polish': [replaced('quantize: {', 'quantize: { polish: 1,'), FROM_QUANTIZE],
  'quantize.floatWindows': 'has a row of its own: only links that compare with the float model read it',
  'quantize.products': [replaced('quantize: {', 'quantize: { polish: 1, products: int16,'), FROM_QUANTIZE],
  'quantize.source.encodings': 'has a row of its own: it stands in place of other options',
  'quantize.source.onnx': 'has a row of its own: it stands beside encodings',
  'quantize.source.names': 'has a row of its own: it stands beside encodings',
  'quantize.weights.scheme': [replaced('quantize: {', 'quantize: { weights: { scheme: per_channel },'), FROM_QUANTIZE],
  'quantize.weights.bits': [replaced('quantize: {', 'quantize: { weights: { scheme: per_channel, bits: 8 },'), FROM_QUANTIZE],
  'quantize.weights.blockSize': [replaced('quantize: {', 'quantize: { weights: { blockSize: 16 },'), FROM_QUANTIZE],
  'quantize.overrides': [replaced('quantize: {', 'quantize: { overrides: [{ layers: "model.layers.*.mlp.down_proj", bits: 8 }],'), FROM_QUANTIZE],
  'quantize.mixedPrecision.budget': [replaced('quantize: {', 'quantize: { scales: { search: seqmse }, mixedPrecision: { budget: 1.2 },'), FROM_QUANTIZE],
  'quantize.lmHead.bits': 'one value only',
  'quantize.embedding.bits': [replaced('quantize: {', 'quantize: { embedding: { bits: 8 },'), FROM_QUANTIZE],
  'quantize.activations': [(text) => text.replace(/quantize: .*/, 'quantize: { activations: none }'), FROM_QUANTIZE],
  'quantize.activations.bits': 'one value only',
  'quantize.activations.observer': [replaced('quantize: {', 'quantize: { activations: { observer: { method: sqnr } },'), FROM_QUANTIZE],
  'quantize.kvCache.bits': [replaced('quantize: {', 'quantize: { kvCache: { bits: 16 },'), FROM_QUANTIZE],
  'quantize.kvCache.granularity': [(text) => `${replaced('quantize: {', 'quantize: { kvCache: { granularity: head },')(text)}transform: { mha2sha: true }\n`, FROM_QUANTIZE],
  'quantize.calibration.text': [replaced('{ windows', '{ text: ./checkpoint/eval.txt, windows'), FROM_QUANTIZE],
  'quantize.calibration.format': 'has a row of its own: a text is rarely valid in two formats',
  'quantize.calibration.windows': [replaced('windows: 2', 'windows: 1'), FROM_QUANTIZE],
  'quantize.calibration.windowLength': [replaced('windowLength: 48', 'windowLength: 32'), FROM_QUANTIZE],
  'transform.mha2sha': [(text) => `${text}transform: { mha2sha: true }\n`, ['transform', 'convert', 'compile', 'package']],
  'compile.optimizationLevel': 'has a row of its own: only a device reads it',
  'compile.vtcmMb': 'has a row of its own: only a device reads it',
  'compile.hvxThreads': 'has a row of its own: only a device reads it',
  'compile.dlbc': 'has a row of its own: only a device reads it',
  'compile.weightSharing': 'has a row of its own: only a device reads it',
  'package.profile': 'has a row of its own: only a device reads it',
  'package.domain': 'has a row of its own: only a device reads it',
  'package.system': 'has a row of its own: only a device reads it',
  'package.folder': 'has a row of its own: only a device reads it',
  'package.spillFillMb': 'has a row of its own: only a device reads it',
  'package.stopSequences': 'has a row of its own: only a device reads it',
  'convert.numerics': [(text) => `${text}convert: { numerics: htp }\n`, ['transform', 'convert', 'compile', 'package']],
  'convert.rotaryEmbedding': 'has a row of its own: only a device and its simulation read it',
  'convert.precision': 'has a row of its own: only a device reads it',
  'compile.prepack': [(text) => `${text}compile: { prepack: false }\n`, ['compile', ANYTHING_LATER]],
  'evaluate.text': 'no stage reads it: a row of what must hit',
  'evaluate.format': 'no stage reads it: a row of what must hit',
  'evaluate.protocol': 'no stage reads it: a row of what must hit',
  'evaluate.windowLength': 'no stage reads it: a row of what must hit',
  observers: 'no stage reads it: a row of what must hit',
  stages: [(text) => `${text}stages: [{ use: ./stages/prune.ts, after: optimize }]\n`, ['prune', ...FROM_QUANTIZE]],
  'generation.maxTokens': [(text) => `${text}generation: { maxTokens: 7 }\n`, ['package']],
};

describe('recipe options', () => {
  test('each has a row or a reason', () => expect(Object.keys(OPTIONS).sort()).toEqual([...new Set(recipeOptions().map(({ path }) => path))].sort()));
  for (const [path, option] of Object.entries(OPTIONS)) {
    if (typeof option === 'string') continue;
    const [change, stages] = option;
    miss(`option ${path}`, stages, (model) => {
      if (path === 'checkpoint') {
        cpSync(model.path('checkpoint'), model.path('other'), { recursive: true });
        flipBit(model.path('other/model.safetensors'));
      }
      if (path === 'stages') addStage(model);
      model.edit('recipe.yaml', change);
    });
  }
  row('must miss', 'code that a stage of the recipe imports, with an equal result', async () => {
    const model = base.copy();
    addStage(model);
    model.edit('recipe.yaml', (text) => `${text}stages: [{ use: ./stages/prune.ts, after: load }]\n`);
    expect(await model.build('prune')).toEqual(['prune']);
    const optimized = await model.build('optimize');
    expect(optimized).toEqual(['optimize']);
    model.edit('stages/threshold.ts', (text) => `${text}\n// another version\n`);
    const found = expectRan(await model.build('optimize'), ['prune']);
    model.remove();
    return found;
  });
  row('must miss', 'option quantize.calibration.format, of one file', async () => {
    const model = base.copy();
    const words = readFileSync(model.path('checkpoint/calibration.txt'), 'utf8').slice(0, 20_000);
    model.write('lines.txt', `${JSON.stringify({ text: words })}\n${JSON.stringify({ text: words })}\n`);
    model.edit('recipe.yaml', replaced('{ windows', '{ text: ./lines.txt, windows'));
    expect(await model.build('quantize')).toEqual(['quantize']);
    model.edit('recipe.yaml', replaced('{ text: ./lines.txt', '{ format: jsonl, text: ./lines.txt'));
    const found = expectRan(await model.build('quantize'), ['quantize']);
    model.remove();
    return found;
  });
  row('must miss', 'option quantize.floatWindows, beside a link that compares', async () => {
    const model = base.copy();
    model.edit('recipe.yaml', replaced('quantize: {', 'quantize: { scales: { search: seqmse, inputs: float },'));
    expect(await model.build('quantize')).toEqual(['quantize']);
    model.edit('recipe.yaml', replaced('quantize: {', 'quantize: { floatWindows: 1,'));
    const found = expectRan(await model.build('quantize'), ['quantize']);
    model.remove();
    return found;
  });
  /** A build whose encodings were made elsewhere: those of the base. */
  const sourced = async (): Promise<Model> => {
    const model = base.copy();
    copyFileSync(model.blob('quantize', 'encodings-1.0.0.json'), model.path('own.encodings'));
    model.edit('recipe.yaml', (text) => text.replace(/quantize: .*/, 'quantize: { source: { encodings: ./own.encodings } }'));
    expect(await model.build('quantize')).toEqual(['quantize']);
    return model;
  };
  const SOURCES: readonly (readonly [what: string, change: (model: Model) => void])[] = [
    ['quantize.source.encodings: a byte of the file', (model) => appendFileSync(model.path('own.encodings'), '\n')],
    ['quantize.source.names', (model) => model.edit('recipe.yaml', replaced('own.encodings', 'own.encodings, names: { logits: logits }'))],
    ['quantize.source.onnx', (model) => {
      copyFileSync(model.blob('load', 'graph.onnx'), model.path('checkpoint/own.onnx'));
      model.edit('recipe.yaml', replaced('own.encodings', 'own.encodings, onnx: ./checkpoint/own.onnx'));
    }],
  ];
  for (const [what, change] of SOURCES) {
    row('must miss', `option ${what}`, async () => {
      const model = await sourced();
      change(model);
      const found = expectRan(await model.build('quantize'), ['quantize']);
      model.remove();
      return found;
    });
  }
  row('must miss', 'option import.dtype, of a GGUF file', async () => {
    const model = Model.make(installation, { recipe: 'checkpoint: ./tiny.gguf\ngraphs: { ar: [1], cl: [32] }\nquantize: none\n' });
    copyFileSync(join(REPOSITORY, 'test/fixtures/gguf/tiny-llama.gguf'), model.path('tiny.gguf'));
    expect(await model.build('load')).toEqual(['load']);
    model.edit('recipe.yaml', (text) => `${text}import: { dtype: float32 }\n`);
    return expectRan(await model.build('load'), ['load']);
  });
});

describe('code and tools', () => {
  /** As `miss`, with a file of the installed packages changed for the time of the build. */
  const missCode = (change: string, file: string, stages: readonly string[], edit?: (text: string) => string): void => {
    row('must miss', change, async () => {
      const path = installation.file(file);
      const before = readFileSync(path);
      const model = base.copy();
      try {
        if (edit === undefined) appendFileSync(path, '\n// another version\n');
        else writeFileSync(path, edit(before.toString('utf8')));
        const found = expectRan(await model.build(), stages);
        model.remove();
        return found;
      } finally {
        writeFileSync(path, before);
      }
    });
  };
  for (const stage of EVERYTHING) missCode(`code of ${stage}`, `@tundish/stages/dist/${stage}/stage.js`, [stage]);
  missCode('code of the LPBQ technique', '@tundish/quantize/dist/lpbq/lpbq.js', ['quantize', 'package']);
  missCode('code that the toolchain converts with', '@tundish/toolchain-host/dist/convert.js', ['convert']);
  missCode('program of the thread that compiles and calibrates', '@tundish/toolchain-host/dist/session-worker.js', ['quantize', 'compile']);
  missCode('kernels in TypeScript', '@tundish/native/dist/typescript/index.js', ['quantize', 'compile', 'package']);
  missCode('version of ONNX Runtime at the same path', 'onnxruntime-node/package.json', ['quantize', 'convert', 'compile', 'package'], (text) => text.replace(/"version": "[^"]+"/, '"version": "1.30.99"'));
  row('must miss', 'native module', async () => {
    const path = installation.file(`@tundish/native/build/${process.platform}-${process.arch}/tundish.node`);
    const before = readFileSync(path);
    const model = base.copy();
    // A new file: the old one is mapped into this process.
    const replace = (bytes: Uint8Array): void => {
      writeFileSync(`${path}.new`, bytes);
      renameSync(`${path}.new`, path);
    };
    try {
      replace(Buffer.concat([before, Buffer.from('more')]));
      return expectRan(await model.build(), ['quantize', 'compile']);
    } finally {
      replace(before);
    }
  });
  row('must miss', 'instruction set of the machine', async () => {
    const { host } = installation;
    const model = base.copy();
    const other = (identity: ToolchainIdentity): ToolchainIdentity => ({ ...identity, machine: 'linux-x64 other' });
    const adapters = {
      toolchain: () => ({ ...host.hostToolchain(), identity: async () => other(await host.hostToolchain().identity()) }),
      reference: () => ({ ...host.hostReference(), identity: async () => other(await host.hostReference().identity()) }),
    };
    return expectRan(await model.build('package', { adapters }), ['quantize', 'compile', 'package']);
  });
});

test('the recipe of the base names what the rows change', () => {
  expect(RECIPE).toContain('parts: 1');
  expect(readFileSync(join(CHECKPOINT, 'config.json'), 'utf8')).toContain('"rope_type": "llama3"');
});
