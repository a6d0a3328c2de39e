/** Files that AIMET 2.42 made of a Llama of Hugging Face, exported by torch.onnx (fixtures/aimet-llama/README.md), and damage to them. */
import { cpSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { DataType, type Graph, type Node, type Value, activationValues, bytesOf, decodeModel, encodeModel, inlineTensor } from '@tundish/graph';
import { loadKernels } from '@tundish/native';
import { beforeAll, describe, expect, test } from 'vitest';
import { observedValues } from '../src/calibration/activations.js';
import { requireCoverage } from '../src/given/coverage.js';
import { FloatStack } from '../src/float-stack.js';
import { type GivenModel, openGivenModel } from '../src/given/given-model.js';
import { givenParameters } from '../src/given/given-parameter.js';
import { matchActivations } from '../src/given/match-activations.js';
import { likeness } from '../src/given/names.js';
import { storedLayout, storedSource } from '../src/given/stored-source.js';
import { TensorFiles } from '../src/weight-source.js';
import { type AdaptedCheckpoint, adapt, repositoryPath, temporaryFolder } from './adapted.js';
import { aimetGraph } from './aimet-graph.js';

const FILES = repositoryPath('packages/quantize/test/fixtures/aimet-llama');
const golden = (name: string): string => repositoryPath(`test/fixtures/golden/${name}`);

let ours: AdaptedCheckpoint;
beforeAll(async () => {
  ours = await adapt(golden('llama-mixed-dtype'), 8, 24);
});

interface Entry { name: string; enc_type: string; bw: number; is_sym: boolean; scale: number[]; offset: number[]; block_size?: number; per_block_int_scale?: number[] }
interface Encodings { activation_encodings: Entry[]; param_encodings: Entry[] }

interface Change {
  readonly encodings?: (file: Encodings) => unknown;
  readonly text?: (text: string) => string;
  readonly files?: (folder: string) => void;
  readonly names?: Readonly<Record<string, string>>;
  readonly onnx?: boolean;
  readonly activations?: boolean;
  readonly model?: AdaptedCheckpoint;
}

/** A copy of the files, changed and opened for `model`. */
async function opened({ encodings, text, files, names = {}, onnx = true, model = ours, activations = true }: Change): Promise<GivenModel> {
  const folder = temporaryFolder();
  cpSync(FILES, folder, { recursive: true });
  const path = join(folder, 'aimet_1.0.0.encodings');
  if (encodings !== undefined) {
    const document = JSON.parse(readFileSync(path, 'utf8')) as Encodings;
    encodings(document);
    writeFileSync(path, JSON.stringify(document));
  }
  if (text !== undefined) writeFileSync(path, text(readFileSync(path, 'utf8')));
  files?.(folder);
  return openGivenModel({ model: model.model, encodings: path, ...(onnx ? { onnx: join(folder, 'aimet_1.0.0.onnx') } : {}), names: new Map(Object.entries(names)), activations, reporter: silentReporter });
}

const entry = (table: Entry[], name: string): Entry => table.find((found) => found.name === name) as Entry;
/** The weight of q_proj of the first block. */
const Q = 'onnx::MatMul_591';
const HEAD = 'onnx::MatMul_751';
/** Keys of the first block, as they are attended to. */
const CACHED = '/model/layers.0/self_attn/Concat_2_output_0';

describe('a Llama of Hugging Face, quantized by AIMET', () => {
  test.each(['1.0.0', '2.0.0'])('%s: every weight and every activation is found, in a graph that computes rotary embeddings and norms in another way', async (version) => {
    const given = await openGivenModel({ model: ours.model, encodings: join(FILES, `aimet_${version}.encodings`), onnx: join(FILES, 'aimet_1.0.0.onnx'), names: new Map(), activations: true, reporter: silentReporter });
    expect(given.report).toMatchObject({ derived: [], missing: [] });
    expect(given.grids.size).toBe(1 + 2 * 9 + 2);
    expect(given.report.activations).toMatchObject({
      '/model/layers.1/input_layernorm/RMSNormalization_output_0': '/model/layers.1/input_layernorm/Mul_1_output_0',
      // x2·cos is the third product here; there all of x·cos is the first.
      '/model/layers.1/self_attn/Mul_3_output_0': '/model/layers.1/self_attn/Mul_output_0',
      '/model/layers.1/self_attn/Concat_output_0': '/model/layers.1/self_attn/Add_output_0',
      '/model/layers.1/self_attn/Mul_8_output_0': '/model/layers.1/self_attn/Mul_6_output_0',
      past_value_1_out: version === '1.0.0' ? '/model/layers.1/self_attn/Concat_3_output_0' : 'past_value_1_in',
    });
    expect(given.report.unread).toContain('/model/layers.1/self_attn/Neg_output_0');
    for (const { name } of observedValues(ours.model.graph)) expect(given.activations.has(name), name).toBe(true);
  });

  test('-x2·sin there is x2·sin here: the same steps on the mirrored grid', async () => {
    const given = await opened({});
    const theirs = entry((JSON.parse(readFileSync(join(FILES, 'aimet_1.0.0.encodings'), 'utf8')) as Encodings).activation_encodings, '/model/layers.0/self_attn/Mul_1_output_0');
    expect(given.activations.get('/model/layers.0/self_attn/Mul_2_output_0')).toMatchObject({ scale: Math.fround(theirs.scale[0] as number), zeroPoint: 0 - (theirs.offset[0] as number) });
    expect(given.activations.get('/model/layers.0/self_attn/Mul_1_output_0')).toMatchObject({ scale: Math.fround(theirs.scale[0] as number), zeroPoint: 65_535 + (theirs.offset[0] as number) });
  });

  test('a grid of masked scores that cuts some of them is left to the rule, and told', async () => {
    const given = await opened({});
    expect(given.report.refitted).toEqual(['/model/layers.0/self_attn/Add_2_output_0']);
    expect(given.activations.has('/model/layers.0/self_attn/Add_2_output_0')).toBe(false);
    expect(given.activations.has('/model/layers.1/self_attn/Add_2_output_0')).toBe(true);
  });

  test('the weights of the ONNX file, stored [in, out], are those of the checkpoint', async () => {
    const given = await opened({});
    const layout = given.stored.get('projection:model.layers.1.mlp.down_proj.weight');
    if (layout === undefined) throw new TypeError('not found');
    expect(layout).toMatchObject({ rows: 64, columns: 176, isTransposed: true });
    const files = new TensorFiles((location) => given.resolve(location));
    const read = storedSource(layout, files, { kernels: loadKernels() });
    const tensor = ours.model.graph.value('model.layers.1.mlp.down_proj.weight').tensor;
    expect(tensor?.dtype).toBe(DataType.BFLOAT16);
    const checkpoint = new TensorFiles(ours.resolve);
    const bits = new Uint16Array(checkpoint.read(tensor as NonNullable<typeof tensor>).buffer);
    const expected = new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
    expect(read.read(0, 64)).toEqual(expected);
    expect(read.read(3, 5)).toEqual(expected.slice(3 * 176, 5 * 176));
    files.close();
    checkpoint.close();
  });

  test('without the ONNX file a weight that torch named `onnx::MatMul_591` is in nobody\'s name', async () => {
    await expect(opened({ onnx: false })).rejects.toMatchObject({ code: 'QUANTIZE_SOURCE_ENCODING', what: expect.stringContaining('model.layers.0.self_attn.q_proj.weight') as string, fix: expect.stringContaining('quantize.source.onnx') as string });
  });

  test('without it names of modules find the products of layers, and what they do not tell is missing', async () => {
    const names = Object.fromEntries(Object.entries((await opened({})).report.activations).filter(([our]) => our === 'logits').map(([our, their]) => [their, our]));
    const weights = new Map<string, string>();
    for (const layout of (await opened({})).stored.values()) weights.set(layout.value.name, layout.name);
    const given = await opened({ onnx: false, names: { ...names, ...Object.fromEntries([...weights].filter(([their]) => their.startsWith('onnx::'))) } });
    expect(given.grids.size).toBe(21);
    expect(given.stored.size).toBe(0);
    expect(given.report.activations).toMatchObject({ '/model/layers.1/mlp/up_proj/MatMul_output_0': '/model/layers.1/mlp/up_proj/MatMul_output_0', logits: 'logits' });
    expect(given.report.missing).toContain('/model/layers.0/self_attn/Mul_output_0');
    const request = { given: { model: given, digests: {}, attentionScaling: 1 }, activations: true };
    expect(() => requireCoverage(request)).toThrow(expect.objectContaining({ code: 'QUANTIZE_SOURCE_COVERAGE', what: expect.stringContaining('activation(s) have no encoding: ') as string }));
    expect(() => requireCoverage({ ...request, activations: false })).not.toThrow();
  });

  test('an activation that the file leaves out is missing, and so is what only it told', async () => {
    const given = await opened({ encodings: (file) => (file.activation_encodings = file.activation_encodings.filter(({ name }) => name !== '/model/layers.1/self_attn/Add_output_0')) });
    expect(given.report.missing).toEqual(['/model/layers.1/self_attn/Sub_output_0', '/model/layers.1/self_attn/Add_output_0']);
  });

  test('a cache of 16 bits is taken as it is', async () => {
    const given = await opened({ encodings: (file) => Object.assign(entry(file.activation_encodings, CACHED), { bw: 16, scale: [0.001], offset: [-32_768] }) });
    const grid = { kind: 'per-tensor', dtype: 'uint16', scale: Math.fround(0.001), zeroPoint: 32_768, symmetric: true };
    expect([given.activations.get('past_key_0_in'), given.activations.get('past_key_0_out')]).toEqual([grid, grid]);
    expect(given.activations.get('past_value_0_out')?.dtype).toBe('uint8');
  });

  test('a cache without an encoding has 8 bits over the grids of what it keeps', async () => {
    const [layer, scale] = ['/model/layers.0/self_attn/v_proj/MatMul_output_0', 2 ** -12];
    const given = await opened({ encodings: (file) => {
      file.activation_encodings = file.activation_encodings.filter(({ name }) => name !== '/model/layers.0/self_attn/Concat_3_output_0');
      Object.assign(entry(file.activation_encodings, layer), { bw: 16, is_sym: false, scale: [scale], offset: [-30_000] });
    } });
    expect(given.report.missing).toEqual([]);
    // The grid ends 35535 steps above 0, and code 127 is there.
    const derived = given.activations.get('past_value_0_out');
    expect(derived).toEqual({ kind: 'per-tensor', dtype: 'uint8', scale: expect.closeTo((35_535 * scale) / 127, 6) as number, zeroPoint: 128, symmetric: true });
    expect(given.activations.get('past_value_0_in')).toEqual(derived);
    expect(given.report.activations['past_value_0_out']).toBeUndefined();
  });

  test('tables and gains without an encoding are left to the pipeline, and told', async () => {
    const given = await opened({ encodings: (file) => {
      file.activation_encodings = file.activation_encodings.filter(({ name }) => name !== 'model.embed_tokens.weight');
      file.param_encodings = file.param_encodings.filter(({ name }) => name !== 'model.norm.weight');
    } });
    expect(given.report.derived).toEqual(['model.embed_tokens.weight', 'model.norm.weight']);
  });
});

const tensor = (name: string): object => ({ name, enc_type: 'PER_TENSOR', dtype: 'INT', bw: 16, is_sym: false, scale: [0.001], offset: [-30_000] });

/** What two graphs have in common is found in one graph and itself. */
test.each(['llama-bias-fp32', 'llama-headdim-bf16', 'llama-mha-fp32', 'llama-mixed-dtype'])('%s: every value is its own counterpart, also where the file names others too', async (name) => {
  const { model } = await adapt(golden(name), 8, 24);
  const names = activationValues(model.graph).map((value) => value.name);
  const layers = new Map(givenParameters(model.graph).flatMap(({ name: layer, kind, parameter }) => (kind === 'projection' || kind === 'head' ? [[layer, parameter.consumers[0] as Node] as const] : [])));
  const graph = { graph: model.graph, layers };
  const found = matchActivations({ ours: graph, theirs: graph, entries: [...names, '/another/graph'], names: new Map() });
  expect(found.size).toBeGreaterThan(20);
  for (const { name: value } of observedValues(model.graph)) expect(found.get(value)?.[0], value).toEqual({ name: value, negated: false });
  expect(found.get('past_key_0_out')?.map((counterpart) => counterpart.name)).toContain('past_key_0_in');
});

describe('a head that shares the table of the embedding', () => {
  /** The adapted graph itself as the ONNX file, with one encoding for all parameters of a kind. */
  async function tied(entries: (head: object) => { readonly activations: readonly object[]; readonly parameters: readonly object[] }): Promise<GivenModel> {
    const folder = temporaryFolder();
    cpSync(golden('llama-headdim-bf16'), folder, { recursive: true });
    const { model } = await adapt(folder, 8, 24);
    writeFileSync(join(folder, 'own.onnx'), encodeModel(model));
    const projections = givenParameters(model.graph).filter(({ kind }) => kind === 'projection').map(({ name, rows, columns }) => (
      { name, enc_type: 'LPBQ', dtype: 'INT', bw: 8, compressed_bw: 4, is_sym: true, block_size: 32, scale: Array(rows).fill(0.001), offset: Array(rows).fill(-128), per_block_int_scale: Array((rows * columns) / 32).fill(16) }
    ));
    const { activations, parameters } = entries({ enc_type: 'PER_CHANNEL', dtype: 'INT', bw: 8, is_sym: true, scale: Array(515).fill(0.002), offset: Array(515).fill(-128) });
    writeFileSync(join(folder, 'own.encodings'), JSON.stringify({ version: '1.0.0', activation_encodings: activations, param_encodings: [...projections, ...parameters] }));
    return openGivenModel({ model, encodings: join(folder, 'own.encodings'), onnx: join(folder, 'own.onnx'), names: new Map(), activations: true, reporter: silentReporter });
  }

  test.each([
    ['has an entry of its own, as the pipeline writes it', (head: object) => ({ activations: [], parameters: [tensor('model.embed_tokens.weight'), { ...head, name: 'lm_head.weight' }] })],
    ['has that of the table, whose rows are an activation, as AIMET writes it', (head: object) => ({ activations: [tensor('model.embed_tokens.weight')], parameters: [{ ...head, name: 'model.embed_tokens.weight' }] })],
  ])('%s', async (_how, entries) => {
    const { grids, stored } = await tied(entries);
    expect(grids.get('projection:model.embed_tokens.weight')?.kind).toBe('per-channel');
    expect(grids.get('embedding:model.embed_tokens.weight')).toEqual({ kind: 'per-tensor', encoding: { kind: 'per-tensor', dtype: 'uint16', scale: Math.fround(0.001), zeroPoint: 30_000, symmetric: false } });
    expect(stored.get('projection:model.embed_tokens.weight')).toMatchObject({ rows: 515, columns: 192, isTransposed: false });
  });
});

describe('refused, by name', () => {
  const per = (name: string, change: (found: Entry) => unknown) => (file: Encodings) => change(entry(file.param_encodings, name));
  const refusals: readonly (readonly [what: string, change: Change, code: string, says: string])[] = [
    ['encodings that name no tensor', { encodings: (file) => file.param_encodings.forEach((found) => (found.name = `other.${found.name}`)) }, 'QUANTIZE_SOURCE_ENCODING', 'onnx::MatMul_591'],
    ['scales of one channel too few', { encodings: per(HEAD, (found) => [found.scale.pop(), found.offset.pop()]) }, 'ENCODINGS_SHAPE', HEAD],
    ['blocks of one channel too few', { encodings: per(Q, (found) => found.per_block_int_scale?.splice(-4)) }, 'ENCODINGS_SHAPE', Q],
    ['a block size that does not divide', { encodings: per(Q, (found) => (found.block_size = 48)) }, 'ENCODINGS_SHAPE', '48 does not divide the 64'],
    ['asymmetric weights of 4 bits', { encodings: per(Q, (found) => Object.assign(found, { enc_type: 'PER_CHANNEL', bw: 4, is_sym: false, offset: found.offset.map(() => -7) })) }, 'QUANTIZE_SOURCE_FORM', 'per-channel, 4 bits, asymmetric'],
    ['weights of 4 bits per channel', { encodings: per(Q, (found) => Object.assign(found, { enc_type: 'PER_CHANNEL', bw: 4, offset: found.offset.map(() => -8) })) }, 'QUANTIZE_SOURCE_FORM', 'per-channel, 4 bits, symmetric'],
    ['float scales of blocks', { encodings: per(Q, (found) => Object.assign(found, { enc_type: 'PER_BLOCK', bw: 4, scale: Array(256).fill(0.1), offset: Array(256).fill(-8) })) }, 'QUANTIZE_SOURCE_FORM', 'per-block, 4 bits'],
    ['a head of 16 bits', { encodings: per(HEAD, (found) => Object.assign(found, { bw: 16, offset: found.offset.map(() => -32_768) })) }, 'QUANTIZE_SOURCE_FORM', 'lm_head.weight'],
    ['a scale that is NaN', { text: (text) => text.replace(/"scale": \[\s*[\d.e-]+/, '"scale": [NaN') }, 'ENCODINGS_NOT_JSON', ''],
    ['a scale that is null', { encodings: per(Q, (found) => found.scale.splice(0, 1, null as unknown as number)) }, 'ENCODINGS_FIELD', 'scale[0]'],
    ['a scale that float32 does not hold', { encodings: per(Q, (found) => found.scale.splice(2, 1, 1e-60)) }, 'ENCODINGS_FIELD', 'scale 2 is 1e-60'],
    ['an asymmetric cache', { encodings: (file) => Object.assign(entry(file.activation_encodings, CACHED), { bw: 16, is_sym: false, offset: [-32_767] }) }, 'QUANTIZE_SOURCE_FORM', 'Concat_2_output_0 has 16 bits, zero point 32767'],
    ['activations of 4 bits', { encodings: (file) => Object.assign(entry(file.activation_encodings, 'logits'), { bw: 4, offset: [-3] }) }, 'QUANTIZE_SOURCE_FORM', 'logits has 4 bits'],
    ['a truncated ONNX file', { files: (folder) => truncateSync(join(folder, 'aimet_1.0.0.onnx'), 40_000) }, 'ONNX_MALFORMED', ''],
    ['an ONNX file that is not there', { files: (folder) => writeFileSync(join(folder, 'aimet_1.0.0.onnx'), '') }, 'ONNX_MALFORMED', 'empty'],
    ['truncated data of it', { files: (folder) => truncateSync(join(folder, 'aimet_1.0.0.data'), 600_000) }, 'ONNX_EXTERNAL_DATA', ''],
    ['a name that is in neither file', { names: { 'onnx::MatMul_1': 'lm_head.weight' } }, 'QUANTIZE_SOURCE_NAMES', 'onnx::MatMul_1 is in neither file'],
    ['a name that the model has not', { names: { [HEAD]: 'lm_tail.weight' } }, 'QUANTIZE_SOURCE_NAMES', 'lm_tail.weight has no encoding of its own'],
    ['a name of a value that is moved', { names: { logits: '/model/layers.0/self_attn/Reshape_output_0' } }, 'QUANTIZE_SOURCE_NAMES', 'Reshape_output_0 has no encoding of its own'],
    ['a weight that the ONNX file lacks', { names: { [Q]: 'model.layers.0.self_attn.k_proj.weight' } }, 'QUANTIZE_SOURCE_WEIGHT', 'no weight of the ONNX file is model.layers.0.self_attn.q_proj.weight'],
    ['two weights under one name', { names: { [Q]: 'model.layers.0.self_attn.q_proj.weight', [HEAD]: 'model.layers.0.self_attn.q_proj.weight' } }, 'QUANTIZE_SOURCE_NAMES', 'both go by the name model.layers.0.self_attn.q_proj.weight'],
  ];
  test.each(refusals)('%s', async (_what, change, code, says) => {
    await expect(opened(change)).rejects.toMatchObject({ code, what: expect.stringContaining(says) as string });
  });

  test('nothing of activations, where weights alone are taken', async () => {
    const given = await opened({ encodings: (file) => Object.assign(entry(file.activation_encodings, 'logits'), { bw: 4, offset: [-3] }), activations: false });
    expect(given.grids.size).toBe(21);
    expect(given.activations.size).toBe(0);
  });

  test.each([
    ['llama-sharded-fp16', 'model.embed_tokens.weight of the ONNX file is FLOAT [515,64]; model.embed_tokens.weight is [500, 128]'],
    ['llama-mha-fp32', 'onnx::MatMul_607 of the ONNX file is FLOAT [64,32]; model.layers.0.self_attn.k_proj.weight is [64, 64]'],
  ])('the ONNX file for %s', async (name, what) => {
    await expect(opened({ model: await adapt(golden(name), 8, 24) })).rejects.toMatchObject({ code: 'QUANTIZE_SOURCE_WEIGHT', what });
  });

  test('a product with a weight that the model does not have', async () => {
    const changed = (folder: string): void => {
      const path = join(folder, 'aimet_1.0.0.onnx');
      const model = decodeModel(readFileSync(path), { declaredShapes: true });
      const up = model.graph.value('/model/layers.0/mlp/up_proj/MatMul_output_0');
      const adapter = model.graph.addInitializer('lora_a', inlineTensor(DataType.FLOAT, [176, 2], new Uint8Array(4 * 352)));
      model.graph.outputs.push(model.graph.addNode({ opType: 'MatMul', name: '/model/layers.0/mlp/up_proj/lora_a/MatMul', inputs: [up, adapter] }).output());
      (model.graph.outputs.at(-1) as Value).dtype = DataType.FLOAT;
      writeFileSync(path, encodeModel(model));
    };
    await expect(opened({ files: changed })).rejects.toMatchObject({ code: 'QUANTIZE_SOURCE_WEIGHT', what: expect.stringContaining('multiplies with lora_a [176,2]') as string });
  });

  test('NaN in a weight of the ONNX file', async () => {
    const given = await opened({ files: (folder) => {
      const bytes = readFileSync(join(folder, 'aimet_1.0.0.data'));
      bytes.writeUInt32LE(0x7fc00000, bytes.length - 400);
      writeFileSync(join(folder, 'aimet_1.0.0.data'), bytes);
    } });
    const files = new TensorFiles((location) => given.resolve(location));
    expect(() => [...given.stored.values()].map((layout) => storedSource(layout, files, { kernels: loadKernels() }).read(0, layout.rows))).toThrow(expect.objectContaining({ code: 'QUANTIZE_NOT_FINITE', what: expect.stringContaining('of the ONNX file') as string }));
    files.close();
  });
});

describe('weights as ONNX files store them', () => {
  const numbered = (graph: Graph, name: string): Value => {
    const value = graph.value(name);
    const dims = value.tensor?.dims ?? [];
    value.tensor = inlineTensor(DataType.FLOAT, dims, bytesOf(Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i)));
    return value;
  };
  test.each([
    ['MatMul [in, out]', 'w_matmul', 96, 64, (row: number, column: number) => column * 96 + row],
    ['Gemm with transB [out, in]', 'w_gemm', 64, 96, (row: number, column: number) => row * 96 + column],
    ['1x1 Conv', 'w_conv', 96, 64, (row: number, column: number) => row * 64 + column],
  ])('%s is read as rows [out, in]', (_form, name, rows, columns, at) => {
    const graph = aimetGraph();
    const layout = storedLayout({ name: 'ours', rows, columns, graph, value: numbered(graph, name) });
    const [fresh, stacked] = [{}, { stack: new FloatStack() }].map((memory) => storedSource(layout, new TensorFiles((location) => location), { kernels: loadKernels(), ...memory }));
    for (const read of [fresh, stacked]) for (const [from, to] of [[0, rows], [5, 7]] as const) {
      expect(read?.read(from, to)).toEqual(Float32Array.from({ length: (to - from) * columns }, (_, i) => at(from + Math.floor(i / columns), i % columns)));
    }
  });
});

test.each([
  ['model.norm.weight', 'model.norm.weight', 3],
  ['model.norm.weight', 'model.model.norm.weight', 2],
  ['model.layers.1.mlp.up_proj.weight', '/model/model/layers.1/mlp/up_proj.weight', 2],
  ['model.layers.1.mlp.up_proj.weight', 'transformer.layers.1.mlp.up_proj.weight', 1],
  ['model.layers.1.mlp.up_proj.weight', 'transformer.layers.11.mlp.up_proj.weight', 0],
  ['model.norm.weight', 'model.layers.0.q_norm.weight', 0],
])('%s and %s', (our, their, expected) => expect(likeness(our, their)).toBe(expected));
