import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { DataType, Graph, type Model, cloneModel, externalLocations, floatTensor, inferShapes } from '@tundish/graph';
import { loadKernels } from '@tundish/native';
import { QUANTIZE_RECIPES } from '@tundish/recipe/technique';
import type { TensorData } from '@tundish/toolchain';
import { hostReference } from '@tundish/toolchain-host';
import { foldNormGains, rotate } from '@tundish/transform';
import { describe, expect, test } from 'vitest';
import { type QuantizeResult, type WeightSchemes, quantizeModel } from '../src/index.js';
import { findParameters } from '../src/parameters.js';
import { dequantize } from '../src/techniques/weight-matrix.js';
import { causalMask, windowFeeds } from '../src/calibration/windows.js';
import { type AdaptedCheckpoint, adapt, repositoryPath, temporaryFolder } from './adapted.js';

const LENGTH = 12;
const golden = (name: string): string => repositoryPath(`test/fixtures/golden/${name}`);

/** A float32 checkpoint whose head reads the embedding table. */
function tiedFloat32(): string {
  const folder = join(temporaryFolder(), 'tied');
  cpSync(golden('llama-bias-fp32'), folder, { recursive: true });
  const path = join(folder, 'config.json');
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), tie_word_embeddings: true }));
  return folder;
}

const LPBQ: WeightSchemes = { scheme: { scheme: 'lpbq', bits: 4, blockSize: 16 } };

async function quantized(adapted: AdaptedCheckpoint, embeddingBits: 8 | 16 = 16, model = adapted.model, schemes = LPBQ): Promise<QuantizeResult & { resolve(location: string): string }> {
  const result = await quantizeModel({
    model,
    plan: adapted.plan,
    weights: { schemes, embeddingBits, technique: QUANTIZE_RECIPES.minmax },
    activations: true,
    kernels: loadKernels(),
    calibration: { model, inputs: adapted.calibration(2, LENGTH), executor: hostReference() },
    resolve: adapted.resolve,
    folder: temporaryFolder(),
    threads: 1,
    signal: new AbortController().signal,
    reporter: silentReporter,
  });
  return { ...result, resolve: (location) => result.files.get(location) as string };
}

/** The checkpoint with every rotation. */
async function adaptRotated(folder: string): Promise<AdaptedCheckpoint> {
  const adapted = await adapt(folder, LENGTH, LENGTH + 1);
  return { ...adapted, model: rotate(foldNormGains(adapted.model).model, { r1: true, r2: true, r3: true }).model };
}

describe('parameters', () => {
  test('roles of a decoder with biases, in the order of reading', async () => {
    const { model } = await adapt(golden('llama-bias-fp32'), LENGTH, LENGTH + 1);
    const found = findParameters(model.graph);
    const first = found.filter(({ name }) => name.includes('layers.0')).map(({ role, name }) => `${role} ${name.slice('model.layers.0.'.length)}`);
    expect(first.slice(0, 3)).toEqual(['gain input_layernorm.weight', 'projection self_attn.q_proj.weight', 'bias self_attn.q_proj.bias']);
    expect(first.filter((line) => line.startsWith('projection'))).toHaveLength(7);
    expect(first.filter((line) => line.startsWith('bias'))).toHaveLength(7);
    expect(found[0]).toMatchObject({ role: 'embedding', name: 'model.embed_tokens.weight' });
    expect(found.at(-1)).toMatchObject({ role: 'projection', name: 'lm_head.weight' });
    for (const { role, consumers } of found) expect(new Set(consumers.map(({ opType }) => opType))).toEqual(new Set([{ projection: 'MatMul', embedding: 'Gather', gain: 'RMSNormalization', bias: 'Add', rotation: 'MatMul' }[role]]));
  });

  test.each([['bfloat16', () => golden('llama-headdim-bf16')], ['float32', tiedFloat32]] as const)('a tied table in %s is two parameters, each with readers of its own', async (_dtype, folder) => {
    const { model } = await adapt(folder(), LENGTH, LENGTH + 1);
    const tied = findParameters(model.graph).filter(({ name }) => name === 'model.embed_tokens.weight');
    expect(tied.map(({ role, uses, consumers }) => [role, uses.map(({ node }) => node.opType), consumers.map(({ name }) => name)])).toEqual([
      ['embedding', ['Gather'], ['/model/embed_tokens/Gather']],
      ['projection', ['Transpose'], ['/lm_head/MatMul']],
    ]);
  });

  test('a folded gain belongs to the projection, whose name stays', async () => {
    const { model } = await adapt(golden('llama-bias-fp32'), LENGTH, LENGTH + 1);
    const folded = findParameters(foldNormGains(model).model.graph).filter(({ name, role }) => role === 'projection' && name.includes('q_proj'));
    expect(folded.map(({ name, root }) => [name, root.producer?.opType])).toEqual([0, 1].map((i) => [`model.layers.${i}.self_attn.q_proj.weight`, 'Mul']));
  });

  test('a rotated weight keeps its name and role, and the rotation of heads has a role of its own', async () => {
    const { model } = await adaptRotated(golden('llama-headdim-bf16'));
    const found = findParameters(model.graph);
    expect(found.filter(({ role }) => role === 'rotation').map(({ name, consumers }) => [name, consumers.length])).toEqual([['head_rotation_0', 2]]);
    expect(found.filter(({ name }) => name === 'model.embed_tokens.weight').map(({ role, root }) => [role, root.producer?.opType])).toEqual([['embedding', 'Hadamard'], ['projection', 'Hadamard']]);
    expect(found.filter(({ role }) => role === 'projection').map(({ name }) => name.replace('model.layers.0.', ''))).toEqual([
      'self_attn.q_proj.weight', 'self_attn.k_proj.weight', 'self_attn.v_proj.weight', 'self_attn.o_proj.weight', 'mlp.gate_proj.weight', 'mlp.up_proj.weight', 'mlp.down_proj.weight', 'model.embed_tokens.weight',
    ]);
  });

  test('a constant in a place that no rule covers is an error that names it', () => {
    const graph = new Graph('odd');
    const x = graph.addInput('x', DataType.FLOAT, [2]);
    graph.addNode({ opType: 'Mul', name: '/odd', inputs: [x, graph.addInitializer('factor', floatTensor([1, 2]))] });
    expect(() => findParameters(graph)).toThrow(expect.objectContaining({ code: 'QUANTIZE_UNKNOWN_PARAMETER', what: 'Mul /odd reads the constant factor as input 1' }));
  });
});

describe('the quantized graph', () => {
  test('has the names, types and expression that device tools and later stages go by', async () => {
    const result = await quantized(await adapt(golden('llama-bias-fp32'), LENGTH, LENGTH + 1));
    const { graph } = result.model;
    const name = 'model.layers.0.self_attn.q_proj.weight';
    const typeOf = (suffix: string): unknown => [graph.value(`${name}${suffix}`).tensor?.dtype, graph.value(`${name}${suffix}`).tensor?.dims];
    expect([typeOf(''), typeOf('.block_scale'), typeOf('.channel_scale'), typeOf('.zero_point')]).toEqual([
      [DataType.UINT4, [64, 64]], [DataType.UINT8, [64, 4]], [DataType.FLOAT, [64, 1]], [DataType.UINT4, [64, 4]],
    ]);
    const transpose = graph.value('/model/layers.0/self_attn/q_proj/MatMul_output_0').producer?.input(1).producer;
    const dequantize = transpose?.input(0).producer;
    expect([transpose?.opType, dequantize?.opType, dequantize?.int('axis'), dequantize?.int('block_size')]).toEqual(['Transpose', 'DequantizeLinear', 1, 16]);
    expect(graph.value('lm_head.weight').tensor).toMatchObject({ dtype: DataType.INT8, location: 'lm_head.weights' });
    expect(graph.value('model.embed_tokens.weight').tensor).toMatchObject({ dtype: DataType.UINT16, location: 'embedding.weights' });
    expect(externalLocations(result.model).every((location) => result.files.has(location))).toBe(true);
    expect([...result.encodings.parameters.keys()]).toContain('lm_head.weight');
    inferShapes(cloneModel(result.model));
  });

  test('of a rotated model holds no rotation but that of heads, exactly, and runs as the float graph with dequantized weights does', async () => {
    const adapted = await adaptRotated(golden('llama-headdim-bf16'));
    const result = await quantized(adapted);
    const { graph } = result.model;
    expect([graph.nodes.filter(({ domain }) => domain !== ''), [...result.model.opsetImports.keys()]]).toEqual([[], ['']]);
    expect(graph.value('head_rotation_0').tensor).toMatchObject({ dtype: DataType.INT8, dims: [64, 64], location: 'block-0.weights' });
    const encoding = result.encodings.parameters.get('head_rotation_0');
    expect(encoding?.kind === 'per-channel' && [...new Set(encoding.scale)]).toEqual([Math.fround(1 / 8 / 127)]);
    expect(graph.value('lm_head.weight').tensor).toMatchObject({ dtype: DataType.INT8, location: 'lm_head.weights' });
    const feeds = windowFeeds(adapted.calibration(1, LENGTH), { name: 'all', model: adapted.model, input: undefined, output: 'logits' }, 0, undefined);
    const ours = await logits(result.model, (location) => result.resolve(location), feeds);
    expect(difference(ours, await logits(dequantizedModel(adapted.model, result), adapted.resolve, feeds))).toBeLessThan(1e-4);
    const float = await logits(adapted.model, adapted.resolve, feeds);
    expect(difference(ours, float)).toBeLessThan(0.5 * Math.max(...float.map(Math.abs)));
  });

  test.each([['biases', golden('llama-bias-fp32')], ['a table tied in bfloat16', golden('llama-headdim-bf16')], ['a table tied in float32', tiedFloat32()]])('with %s runs as the float graph with dequantized weights does', async (_what, folder) => {
    const adapted = await adapt(folder, LENGTH, LENGTH + 1);
    const result = await quantized(adapted);
    const feeds = windowFeeds(adapted.calibration(1, LENGTH), { name: 'all', model: adapted.model, input: undefined, output: 'logits' }, 0, undefined);
    const ours = await logits(result.model, (location) => result.resolve(location), feeds);
    const expected = await logits(dequantizedModel(adapted.model, result), adapted.resolve, feeds);
    expect(difference(ours, expected)).toBeLessThan(1e-4);
    // The quantized model is another one than the checkpoint, but not by much.
    const float = await logits(adapted.model, adapted.resolve, feeds);
    expect(difference(ours, float)).toBeGreaterThan(1e-3);
    expect(difference(ours, float)).toBeLessThan(0.5 * Math.max(...float.map(Math.abs)));
  });

  test.each<[string, WeightSchemes['scheme'], readonly [DataType, readonly number[], DataType | undefined, number, number | undefined]]>([
    ['4 bits a channel', { scheme: 'per_channel', bits: 4 }, [DataType.UINT4, [64], DataType.UINT4, 0, undefined]],
    ['8 bits a channel', { scheme: 'per_channel', bits: 8 }, [DataType.INT8, [64], undefined, 0, undefined]],
    ['4 bits, float block scales', { scheme: 'per_block', bits: 4, blockSize: 32 }, [DataType.UINT4, [64, 2], DataType.UINT4, 1, 32]],
    ['8 bits, float block scales', { scheme: 'per_block', bits: 8, blockSize: 16 }, [DataType.INT8, [64, 4], undefined, 1, 16]],
  ])('%s: the standard form, run as the float graph with dequantized weights is', async (_what, scheme, [codes, scales, zeroPoint, axis, block]) => {
    const adapted = await adapt(golden('llama-bias-fp32'), LENGTH, LENGTH + 1);
    const own = 'model.layers.1.mlp.down_proj';
    const result = await quantized(adapted, 16, adapted.model, { scheme, overrides: { [own]: { scheme: 'lpbq', bits: 4, blockSize: 16 } } });
    const { graph } = result.model;
    const name = 'model.layers.0.self_attn.q_proj.weight';
    const node = graph.value(name).consumers[0];
    expect([graph.value(name).tensor?.dtype, graph.value(`${name}.scale`).tensor?.dims, graph.find(`${name}.zero_point`)?.tensor?.dtype, node?.int('axis'), node?.int('block_size')]).toEqual([codes, scales, zeroPoint, axis, block]);
    expect(result.encodings.parameters.get(`${own}.weight`)?.kind).toBe('lpbq');
    const feeds = windowFeeds(adapted.calibration(1, LENGTH), { name: 'all', model: adapted.model, input: undefined, output: 'logits' }, 0, undefined);
    const ours = await logits(result.model, (location) => result.resolve(location), feeds);
    expect(difference(ours, await logits(dequantizedModel(adapted.model, result), adapted.resolve, feeds))).toBeLessThan(1e-4);
    expect(difference(ours, await logits(adapted.model, adapted.resolve, feeds))).toBeGreaterThan(1e-4);
  });

  test('a scheme for a layer that the graph lacks is refused before any work', async () => {
    const adapted = await adapt(golden('llama-bias-fp32'), LENGTH, LENGTH + 1);
    const overrides = { 'model.layers.2.mlp.down_proj': LPBQ.scheme };
    await expect(quantized(adapted, 16, adapted.model, { ...LPBQ, overrides })).rejects.toMatchObject({ code: 'QUANTIZE_UNKNOWN_LAYER', what: expect.stringContaining('model.layers.2.mlp.down_proj') as string });
  });

  test('an embedding of 8 bits is a UINT8 table', async () => {
    const { model, encodings } = await quantized(await adapt(golden('llama-mha-fp32'), LENGTH, LENGTH + 1), 8);
    expect(model.graph.value('model.embed_tokens.weight').tensor?.dtype).toBe(DataType.UINT8);
    expect(encodings.activations.get('/model/embed_tokens/Gather_output_0')).toEqual(encodings.parameters.get('model.embed_tokens.weight'));
  });
});

/** The float graph with every parameter replaced, inline, by what its codes stand for: computed here from the files, not by the graph. */
function dequantizedModel(model: Model, result: Awaited<ReturnType<typeof quantized>>): Model {
  const copy = cloneModel(model);
  const kernels = loadKernels();
  const read = (name: string): Uint8Array => {
    const tensor = result.model.graph.value(name).tensor;
    if (tensor === undefined) throw new TypeError(`${name} is not a constant`);
    return tensor.kind === 'inline' ? tensor.data : Uint8Array.from(readFileSync(result.resolve(tensor.location)).subarray(tensor.offset, tensor.offset + tensor.length));
  };
  for (const parameter of findParameters(copy.graph)) {
    const name = parameter.role === 'projection' && parameter.name.includes('embed_tokens') ? 'lm_head.weight' : parameter.name;
    const encoding = result.encodings.parameters.get(name);
    if (encoding === undefined) continue;
    const dims = (parameter.root.shape ?? []).map(Number);
    const [rows = 1, columns = 1] = dims;
    let values: Float32Array;
    if (encoding.kind === 'lpbq') values = kernels.dequantizeLpbq({ codes: read(name), ...encoding }, rows, columns, encoding.blockSize);
    else if (encoding.kind !== 'per-tensor') values = dequantize({ kernels, threads: 2 }, codesOf(read(name), encoding.dtype), { scale: encoding.scale, block: (rows * columns) / encoding.scale.length, bits: 8 });
    else values = Float32Array.from(new Uint16Array(read(name).buffer), (code) => (code - encoding.zeroPoint) * encoding.scale);
    const inline = copy.graph.addInitializer(`${parameter.role} ${name} dequantized`, floatTensor([...values], dims));
    for (const { node, index } of parameter.uses) node.replaceInput(index, inline);
  }
  copy.graph.prune();
  return copy;
}

/** int8 codes, of 4 bits two a byte as code + 8. */
function codesOf(bytes: Uint8Array, dtype: string): Int8Array {
  return dtype === 'int4' ? Int8Array.from({ length: 2 * bytes.length }, (_, i) => (((bytes[i >> 1] as number) >> (4 * (i % 2))) & 15) - 8) : new Int8Array(bytes.buffer);
}

async function logits(model: Model, resolve: (location: string) => string, feeds: ReadonlyMap<string, TensorData>): Promise<Float32Array> {
  const opened = await hostReference().open({ model, resolve, threads: 1 });
  try {
    return (await opened.run(feeds, ['logits'])).get('logits') as Float32Array;
  } finally {
    await opened.close();
  }
}

function difference(a: Float32Array, b: Float32Array): number {
  return a.reduce((max, value, i) => Math.max(max, Math.abs(value - (b[i] ?? NaN))), 0);
}

test('the causal mask hides the past position and everything ahead', () => {
  expect([...causalMask(3)].map((value) => (value === 0 ? 1 : 0))).toEqual([0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1]);
});
