import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { readSafetensorsHeader } from '@tundish/checkpoint';
import { type Encodings, decodeModel } from '@tundish/graph';
import { STAGE_NAMES } from '@tundish/recipe';
import { sha256 } from '@tundish/store';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Piece, type Pipeline, type StageContext, type StageFile, type StageInput, type StageRequest, type Unit, inputsOf, readEncodings, readGraph, ropeTables, stageOf, unitName, unitsOf } from '../src/index.js';
import { calibrationWindows } from '../src/quantize/calibration-windows.js';
import { unitOptions } from '../src/unit-options.js';
import { FLOAT_RECIPE, QUANTIZED_RECIPE, WEIGHTS_ONLY_RECIPE, Workspace, temporaryFolder } from './workspace.js';

const whole = (stage: Unit['stage']): Unit => ({ stage, subject: null });

function contextOf(workspace: Workspace, pipeline: Pipeline): StageContext {
  return {
    signal: new AbortController().signal,
    reporter: silentReporter,
    adapters: { toolchain: () => hostToolchain(), reference: () => hostReference() },
    scratch: temporaryFolder(),
    threads: 1,
    checkpoint: () => pipeline.checkpoint(),
    projectFile: (relative) => workspace.path(relative),
    piece: (_request, make) => pieceIn(temporaryFolder(), make),
  };
}

/** A piece without a cache. */
async function pieceIn(folder: string, make: (scratch: string) => Promise<readonly StageFile[]>): Promise<Piece> {
  await make(folder);
  return {
    ref: (name) => {
      const bytes = readFileSync(join(folder, name));
      return { sha256: sha256(bytes), size: bytes.length };
    },
    path: (name) => Promise.resolve(join(folder, name)),
  };
}

async function requestOf(pipeline: Pipeline, unit: Unit): Promise<StageRequest<unknown>> {
  const inputs = new Map<string, StageInput>();
  for (const input of inputsOf(pipeline.lock, unit)) inputs.set(unitName(input), await pipeline.input(input));
  return {
    options: unitOptions(pipeline.lock, unit),
    subject: unit.subject,
    inputs,
    source: new Map(Object.entries(pipeline.lock.source.files)),
    toolchain: await hostToolchain().identity(),
  };
}

function digest(file: StageFile): string {
  if ('from' in file) return file.from.sha256;
  return sha256('bytes' in file ? file.bytes : readFileSync(file.path));
}

describe.each([['quantized', QUANTIZED_RECIPE], ['in floating point', FLOAT_RECIPE]])('every stage alone, %s', (_form, recipe) => {
  let workspace: Workspace;
  let pipeline: Pipeline;
  beforeAll(async () => {
    workspace = Workspace.make(recipe);
    await workspace.build('package');
    pipeline = await workspace.open({ inputsInPlace: true });
  });

  test.each(STAGE_NAMES)('%s, called with a context and its inputs, gives what the pipeline stored', async (name) => {
    const units = unitsOf(pipeline.lock).filter(({ stage }) => stage === name);
    expect(units.length).toBeGreaterThan(0);
    const stage = await stageOf(name);
    for (const unit of units) {
      const request = await requestOf(pipeline, unit);
      stage.requires(request);
      const result = await stage.run(contextOf(workspace, pipeline), request);
      stage.ensures(result, request);
      const { manifest } = await pipeline.input(unit);
      const made = new Map(result.files.map((file) => [file.name, [file.mediaType, digest(file)]]));
      expect(made).toEqual(new Map(manifest.outputs.map((output) => [output.name, [output.mediaType, output.sha256]])));
      expect(result.externals ?? []).toEqual(manifest.externals);
      expect(result.facts ?? {}).toEqual(manifest.facts);
    }
  });
});

describe('requires and ensures', () => {
  const bare: StageRequest<unknown> = { options: {}, subject: null, inputs: new Map(), source: new Map(), toolchain: undefined };
  const cell = { ar: 8, cl: 32, part: 3, parts: 2 };

  test.each([
    ['load', bare, 'STAGE_REQUIRES', 'config.json'],
    ['optimize', bare, 'STAGE_INPUT_MISSING', 'load'],
    ['quantize', bare, 'STAGE_INPUT_MISSING', 'optimize'],
    ['arcl', { ...bare, options: { ar: 8, cl: 8 } }, 'STAGE_REQUIRES', 'AR 8 and CL 8'],
    ['transform', { ...bare, options: { cell } }, 'STAGE_REQUIRES', 'part 3 of 2'],
    ['convert', { ...bare, subject: 'ar8-cl32-1of2' }, 'STAGE_INPUT_MISSING', 'transform/ar8-cl32-1of2'],
    ['compile', { ...bare, options: { cells: { 'ar8-cl32-1of2': cell } } }, 'STAGE_INPUT_MISSING', 'convert/ar8-cl32-1of2'],
    ['package', { ...bare, options: { parts: {} } }, 'STAGE_REQUIRES', 'the lock file names no part'],
  ] as const)('%s says what it lacks', async (name, request, code, what) => {
    const stage = await stageOf(name);
    expect(() => stage.requires(request)).toThrow(expect.objectContaining({ code, what: expect.stringContaining(what) as string }));
  });

  test.each([
    ['load', bare, { files: [] }],
    ['quantize', bare, { files: [] }],
    ['arcl', bare, { files: [{ name: 'block-0.weights', mediaType: 'x', bytes: new Uint8Array() }] }],
    ['transform', bare, { files: [{ name: 'block-0.weights', mediaType: 'x', bytes: new Uint8Array() }] }],
    ['convert', { ...bare, options: { cell } }, { files: [{ name: 'io.json', mediaType: 'x', bytes: new TextEncoder().encode('{"name":"ar1_cl32_1_of_2"}') }] }],
    ['compile', { ...bare, options: { cells: { a: cell } } }, { files: [], facts: { graphs: ['another'] } }],
    ['package', bare, { files: [] }],
  ] as const)('%s refuses a result that breaks its promise', async (name, request, result) => {
    const stage = await stageOf(name);
    expect(() => stage.ensures(result, request)).toThrow(expect.objectContaining({ code: 'STAGE_ENSURES' }));
  });
});

describe('quantize', () => {
  test.each([['NaN', NaN], ['infinity', -Infinity]])('%s in a weight names tensor, count and first index, and leaves nothing', async (_what, value) => {
    const workspace = Workspace.make(QUANTIZED_RECIPE);
    const name = 'model.layers.1.self_attn.q_proj.weight';
    await damage(workspace.path('checkpoint/model.safetensors'), name, 37, value);
    await expect(workspace.build('quantize')).rejects.toMatchObject({ code: 'QUANTIZE_NOT_FINITE', what: `${name} holds 1 value(s) that are NaN or infinite, the first at flat index 37` });
    expect(workspace.leftovers()).toMatchObject({ temporary: [], manifests: ['load/stage.json', 'optimize/stage.json'] });
  });

  test('a block size that does not divide names the weight and what would fit', async () => {
    const workspace = Workspace.make(QUANTIZED_RECIPE.replace('blockSize: 16', 'blockSize: 64'));
    await expect(workspace.build('quantize')).rejects.toMatchObject({ code: 'QUANTIZE_BLOCK_SIZE', what: expect.stringContaining('down_proj') as string, fix: 'set quantize.weights.blockSize to 16' });
    expect(workspace.leftovers().temporary).toEqual([]);
  });

  test('weights alone: no text is read, floats stay floats, and the graphs multiply codes', async () => {
    const workspace = Workspace.make(WEIGHTS_ONLY_RECIPE);
    rmSync(workspace.path('calibration.txt'));
    await workspace.build('package');
    const pipeline = await workspace.open();
    const made = await pipeline.input(whole('quantize'));
    expect(made.manifest.facts).toMatchObject({ precision: 'w4', activations: 0 });
    expect(made.manifest.outputs.map(({ name }) => name)).not.toContain('activations.json');
    const encodings = await readEncodings(await readGraph(made), made);
    expect(encodings?.activations.size).toBe(0);
    expect(encodings?.parameters.get('model.layers.0.self_attn.q_proj.weight')).toMatchObject({ kind: 'lpbq' });
    const converted = await pipeline.input({ stage: 'convert', subject: 'ar8-cl32-2of2' });
    const io = JSON.parse(readFileSync(converted.path('io.json'), 'utf8')) as { inputs: { dtype: string }[]; outputs: { dtype: string }[] };
    expect(new Set([...io.inputs, ...io.outputs].map(({ dtype }) => dtype))).toEqual(new Set(['float32']));
    const ops = new Set(decodeModel(readFileSync(converted.path('ar8_cl32_2_of_2.onnx'))).graph.nodes.map(({ opType }) => opType));
    expect(ops.has('MatMulNBits')).toBe(true);
    expect(ops.has('QuantizeLinear')).toBe(false);
  });

  test('encodings read back from the graph are those that were written', async () => {
    const workspace = Workspace.make(QUANTIZED_RECIPE);
    await workspace.build('quantize');
    const input = await (await workspace.open()).input(whole('quantize'));
    const { activations, parameters: encodings } = (await readEncodings(await readGraph(input), input)) as Encodings;
    const document = JSON.parse(readFileSync(input.path('encodings-1.0.0.json'), 'utf8')) as { param_encodings: { name: string; enc_type: string; scale: number[]; per_block_int_scale?: number[] }[] };
    const written = document.param_encodings.filter(({ enc_type: type }) => type !== 'PER_TENSOR');
    expect([...encodings.keys()].sort()).toEqual(written.map(({ name }) => name).sort());
    for (const entry of written) {
      const found = encodings.get(entry.name);
      if (found?.kind === 'lpbq') expect([[...found.channelScale], [...found.blockScale]]).toEqual([entry.scale, entry.per_block_int_scale]);
      else expect(found).toMatchObject({ kind: 'per-channel', scale: Float32Array.from(entry.scale) });
    }
    expect(activations.get('logits')).toMatchObject({ dtype: 'uint16' });
    const load = await (await workspace.open()).input(whole('load'));
    expect(await readEncodings(await readGraph(load), load)).toBeUndefined();
  });
});

/** Writes `value` over one element of a tensor, in the tensor's own type. */
async function damage(path: string, name: string, index: number, value: number): Promise<void> {
  const tensor = (await readSafetensorsHeader(path)).tensors.get(name);
  if (tensor === undefined) throw new TypeError(`no tensor ${name}`);
  const bytes = readFileSync(path);
  const bits = { F32: Number.isNaN(value) ? 0x7fc00000 : 0xff800000, BF16: Number.isNaN(value) ? 0x7fc0 : 0xff80, F16: Number.isNaN(value) ? 0x7e00 : 0xfc00 }[tensor.dtype as 'F32'];
  if (tensor.dtype === 'F32') bytes.writeUInt32LE(bits, tensor.offset + 4 * index);
  else bytes.writeUInt16LE(bits, tensor.offset + 2 * index);
  writeFileSync(path, bytes);
}

describe('calibration windows', () => {
  const text = 'abcdefghijklmnopqrstuvwxyz';
  const windowsOf = async (bos: number | null, windows: number, windowLength: number, source: { readonly text: string; readonly format?: 'jsonl' } = { text }): Promise<number[][]> => {
    const folder = join(temporaryFolder(), 'c');
    mkdirSync(folder);
    const workspace = Workspace.make(FLOAT_RECIPE);
    const path = join(folder, 'text.txt');
    writeFileSync(path, source.text);
    const pin = { sha256: sha256(new TextEncoder().encode(source.text)), size: source.text.length };
    return (await calibrationWindows(workspace.path('checkpoint'), path, bos, { ...pin, format: source.format, windows, windowLength })).map((window) => [...window]);
  };

  test('BOS and the next tokens, at equal distances from end to end', async () => {
    expect(await windowsOf(28, 3, 5)).toEqual([[28, 0, 1, 2, 3], [28, 8, 9, 10, 11], [28, 16, 17, 18, 19]]);
    expect(await windowsOf(28, 6, 5)).toHaveLength(6);
  });

  test('tokens alone where the model has no BOS', async () => {
    expect(await windowsOf(null, 2, 13)).toEqual([Array.from({ length: 13 }, (_, i) => i), Array.from({ length: 13 }, (_, i) => 13 + i)]);
  });

  test('documents of a JSONL file, joined by BOS', async () => {
    const lines = '{"text": "abc"}\n{"text": "de"}\n';
    expect(await windowsOf(28, 2, 4, { text: lines, format: 'jsonl' })).toEqual([[28, 0, 1, 2], [28, 28, 3, 4]]);
    await expect(windowsOf(28, 1, 4, { text: '{"text": "abc"}\nde', format: 'jsonl' })).rejects.toMatchObject({ code: 'CORPUS_LINE', evidence: { line: 2 } });
  });

  test('one window too many is refused with both numbers', async () => {
    await expect(windowsOf(28, 7, 5)).rejects.toMatchObject({ code: 'STAGE_REQUIRES', what: 'the calibration text has 26 tokens, which is 6 windows of 5; the recipe asks for 7' });
  });
});

test('rope tables start at any position and carry the attention factor', () => {
  const { cos, sin } = ropeTables({ inverseFrequencies: [1, 0.5], attentionScaling: 2 }, 3, 2);
  expect([...cos]).toEqual([3, 1.5, 4, 2].map((angle) => Math.fround(2 * Math.cos(angle))));
  expect([...sin]).toEqual([3, 1.5, 4, 2].map((angle) => Math.fround(2 * Math.sin(angle))));
});
