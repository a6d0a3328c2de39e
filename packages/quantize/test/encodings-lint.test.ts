/** Every rule of the lint, broken alone in encodings that keep all others. */
import { readFileSync } from 'node:fs';
import { DataType, Graph, type Value, floatTensor } from '@tundish/graph';
import { describe, expect, test } from 'vitest';
import { type AdapterEncodings, type EncodingsDocument, type EncodingsEntry, type Finding, LINT_RULES, type TensorEncoding, lintAdapters, lintCarried, lintEncodings, lintGraphs, lintParts, parseEncodings } from '../src/index.js';
import { repositoryPath } from './adapted.js';
import { aimetGraph } from './aimet-graph.js';

/** A layer in small: gathered table, norm, projection, Gemm with bias, one cache, masked scores, Softmax, Sigmoid. */
function layer(): Graph {
  const graph = new Graph('layer');
  const make = (opType: string, output: string, inputs: readonly Value[]): Value => {
    const value = graph.addNode({ opType, name: `/${output}`, inputs, outputs: [output] }).output();
    value.dtype = DataType.FLOAT;
    return value;
  };
  const weight = (name: string, ...dims: number[]): Value => graph.addInitializer(name, floatTensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims));
  const input = (name: string): Value => graph.addInput(name, DataType.FLOAT, [1, 1, 4, 8]);
  const hidden = make('Gather', 'hidden', [weight('embed.weight', 16, 8), graph.addInput('ids', DataType.INT64, [4])]);
  const normed = make('RMSNormalization', 'normed', [hidden, weight('norm.weight', 8)]);
  const queries = make('MatMul', 'queries', [normed, weight('q.weight', 8, 6)]);
  const gemm = make('Gemm', 'mixed', [normed, weight('gemm.weight', 8, 6), weight('gemm.bias', 6)]);
  const keys = make('Concat', 'keys', [input('past_key_0_in'), make('Transpose', 'past_key_0_out', [gemm])]);
  const masked = make('Add', 'masked', [make('MatMul', 'scores', [queries, keys]), input('attention_mask')]);
  const gate = make('Sigmoid', 'gate', [make('Reshape', 'flat', [make('MatMul', 'context', [make('Softmax', 'probabilities', [masked]), keys]), graph.addInput('shape', DataType.INT64, [2])])]);
  graph.outputs.push(make('MatMul', 'logits', [gate, weight('lm_head.weight', 8, 16)]), graph.value('past_key_0_out'));
  return graph;
}

const u16 = (scale: number, zeroPoint = 32768): TensorEncoding => ({ kind: 'per-tensor', grid: { bits: 16, signed: false, symmetric: false }, scale, zeroPoint });
const cache: TensorEncoding = { kind: 'per-tensor', grid: { bits: 8, signed: false, symmetric: true }, scale: 0.01, zeroPoint: 128 };
const unit = u16(1 / 65535, 0);
const channels = (count: number, bits: 4 | 8 | 16 | 32 = 8, scale = 0.5): TensorEncoding => ({
  kind: 'per-channel', grid: { bits, signed: true, symmetric: true }, scale: new Float64Array(count).fill(scale), zeroPoint: new Float64Array(count).fill(2 ** (bits - 1)), axis: 1,
});
const blocks: TensorEncoding = { kind: 'per-block', grid: { bits: 4, signed: true, symmetric: true }, blockSize: 4, scale: new Float64Array(12).fill(1), zeroPoint: new Float64Array(12).fill(8), layout: undefined };
const lpbq: TensorEncoding = { kind: 'lpbq', bits: 4, decompressedBits: 8, blockSize: 4, channelScale: new Float64Array(6).fill(0.5), blockScale: new Uint8Array(12).fill(16), layout: undefined };

/** Scores span [-10, 10]. */
const SCORES = u16(20 / 65535, 32768);
const ACTIVATIONS: Readonly<Record<string, TensorEncoding>> = {
  hidden: u16(0.1), normed: u16(0.25), queries: u16(0.3), mixed: u16(0.4), past_key_0_in: cache, past_key_0_out: cache, keys: cache,
  attention_mask: u16(50 / 65535, 65535), scores: SCORES, masked: u16(40 / 65535, 49152), probabilities: unit, context: u16(0.5), flat: u16(0.5), gate: unit, logits: u16(0.6),
};
const PARAMETERS: Readonly<Record<string, TensorEncoding>> = {
  'embed.weight': u16(0.1), 'norm.weight': u16(0.01), 'q.weight': lpbq, 'gemm.weight': channels(6), 'gemm.bias': channels(6, 32, 0.125), 'lm_head.weight': channels(16),
};

function documentOf(activations: Readonly<Record<string, TensorEncoding | undefined>>, parameters: Readonly<Record<string, TensorEncoding | undefined>> = {}): EncodingsDocument {
  const entries = (table: typeof activations, role: EncodingsEntry['role']): EncodingsEntry[] => Object.entries(table).flatMap(([name, encoding]) => (encoding === undefined ? [] : [{ name, role, encoding, extra: new Map() }]));
  return { version: '1.0.0', entries: [...entries(activations, 'activation'), ...entries(parameters, 'parameter')], extra: new Map() };
}

const lint = (activations: Readonly<Record<string, TensorEncoding | undefined>>, parameters: Readonly<Record<string, TensorEncoding | undefined>> = {}): readonly Finding[] =>
  lintEncodings(layer(), documentOf({ ...ACTIVATIONS, ...activations }, { ...PARAMETERS, ...parameters }));
const said = (findings: readonly Finding[]): string[] => findings.map(({ rule, severity, tensor }) => `${rule} ${severity} ${tensor}`);

type Change = Readonly<Record<string, TensorEncoding | undefined>>;
const asymmetric = (encoding: TensorEncoding, zero: number): TensorEncoding => ({ ...encoding, grid: { bits: 8, signed: false, symmetric: false }, zeroPoint: new Float64Array(6).fill(zero) }) as TensorEncoding;

const BREACHES: readonly (readonly [string, Change, Change, readonly string[]])[] = [
  ['an entry for nothing', { elsewhere: u16(1) }, {}, ['known-tensor warning elsewhere']],
  ['an activation without an encoding', { queries: undefined }, {}, ['coverage error queries']],
  ['a scale of a norm that was never reached', { queries: u16(1e-20) }, {}, ['scale-range error queries']],
  ['a scale of one channel', {}, { 'lm_head.weight': { ...channels(16), scale: new Float64Array(16).fill(1).fill(1e11, 7, 8) } as TensorEncoding }, ['scale-range error lm_head.weight']],
  ['an offset that is not symmetric', { queries: { ...u16(0.3, 32767), grid: { bits: 16, signed: false, symmetric: true } } as TensorEncoding }, {}, ['symmetric-offset error queries']],
  ['a Reshape that changes the scale', { flat: u16(0.75) }, {}, ['movement error flat']],
  ['rows with another grid than their table', {}, { 'embed.weight': u16(0.2) }, ['gathered-table error hidden']],
  ['a channel too few', {}, { 'lm_head.weight': channels(15) }, ['weight-shape error lm_head.weight']],
  ['LPBQ with a channel too many', {}, { 'q.weight': { ...lpbq, channelScale: new Float64Array(7).fill(0.5), blockScale: new Uint8Array(14).fill(16) } }, ['weight-shape error q.weight']],
  ['float scales of a channel too few', { normed: undefined }, { 'q.weight': { ...blocks, scale: new Float64Array(10).fill(1), zeroPoint: new Float64Array(10).fill(8) } }, ['coverage error normed', 'weight-shape error q.weight']],
  ['a weight with zero points', {}, { 'gemm.weight': asymmetric(channels(6), 127) }, ['weight-symmetric error gemm.weight']],
  ['a weight of 16 bits', {}, { 'q.weight': channels(6, 16) }, ['weight-width warning q.weight']],
  ['a head of 32 bits', {}, { 'lm_head.weight': channels(16, 32) }, ['weight-width warning lm_head.weight']],
  ['float scales of blocks', {}, { 'q.weight': blocks }, ['float-blocks error q.weight']],
  ['a gain of 8 bits', {}, { 'norm.weight': { ...u16(0.01), grid: { bits: 8, signed: false, symmetric: false }, zeroPoint: 7 } as TensorEncoding }, ['norm-gain error norm.weight']],
  ['a bias of another scale', {}, { 'gemm.bias': channels(6, 32, 0.12) }, ['bias-scale error gemm.bias']],
  ['Softmax up to 2', { probabilities: u16(2 / 65535, 0) }, {}, ['unit-interval error probabilities']],
  ['Sigmoid from below 0', { gate: u16(1 / 65535, 1) }, {}, ['unit-interval error gate']],
  ['masked scores that end too early', { masked: u16(25 / 65535, 39321) }, {}, ['masked-range error masked']],
  ['masked scores that cut visible ones', { masked: u16(35 / 65535, 56173) }, {}, ['masked-range error masked']],
  ['masked scores ten times too wide', { masked: u16(400 / 65535, 63897) }, {}, ['masked-range warning masked']],
  ['a mask that is too weak', { attention_mask: u16(25 / 65535, 65535) }, {}, ['masked-range error attention_mask']],
];

describe('one graph', () => {
  test('encodings that keep every rule', () => {
    expect(lint({})).toEqual([]);
  });

  test.each(BREACHES)('%s', (_name, activations, parameters, expected) => {
    expect(said(lint(activations, parameters))).toEqual(expected);
  });

  test('what enters and leaves the cache with two grids', () => {
    expect(said(lint({ past_key_0_out: { ...cache, scale: 0.02 } as TensorEncoding }))).toEqual(['movement error keys', 'cache-tied error past_key_0_out']);
  });

  test('a cache with a zero point is found where it is stored and where it is multiplied', () => {
    const wrong = { ...cache, grid: { bits: 8, signed: false, symmetric: false }, zeroPoint: 127 } as TensorEncoding;
    const found = lint({ past_key_0_in: wrong, past_key_0_out: wrong, keys: wrong });
    expect([...new Set(found.map(({ rule }) => rule))]).toEqual(['second-operand', 'cache-form']);
    const wide = { ...cache, grid: { bits: 16, signed: false, symmetric: true }, zeroPoint: 32768 } as TensorEncoding;
    expect(new Set(lint({ past_key_0_in: wide, past_key_0_out: wide, keys: wide }).map(({ severity }) => severity))).toEqual(new Set(['warning']));
    expect(lint({ past_key_0_in: { kind: 'float', bits: 16 }, past_key_0_out: { kind: 'float', bits: 16 }, keys: { kind: 'float', bits: 16 } })).toEqual([]);
  });

  test('a coarse step in front of Softmax', () => {
    // Scores of 16 times the range: the mask and the sum follow them.
    const found = lint({ scores: u16(6000 / 65535, 32768), masked: u16(6020 / 65535, 32877), attention_mask: u16(6050 / 65535, 65535) });
    expect(said(found)).toEqual(['score-step warning masked', 'score-step warning scores']);
  });

  test('codes of 16 bits whose halves do not fit', () => {
    const graph = layer();
    const values = graph.value('q.weight');
    const sixteen = (largest: number): Finding[] => {
      values.tensor = floatTensor(Float32Array.from({ length: 48 }, (_, i) => (i === 7 ? largest : -32768)), [8, 6]);
      return [...lintEncodings(graph, documentOf(ACTIVATIONS, { ...PARAMETERS, 'q.weight': { kind: 'per-tensor', grid: { bits: 16, signed: true, symmetric: true }, scale: 1, zeroPoint: 32768 } }))].filter(({ rule }) => rule === 'split-codes');
    };
    expect(sixteen(0x7f7f)).toEqual([]);
    expect(sixteen(0x7f80)).toEqual([expect.objectContaining({ tensor: 'q.weight', severity: 'error', what: expect.stringContaining('32640') as string })]);
    // A channel of its own scale may hold larger values.
    values.tensor = floatTensor(Float32Array.from({ length: 48 }, (_, i) => (i % 6 === 1 ? 0x7f80 : 1)), [8, 6]);
    const perChannel = (scales: number[]): string[] => said(lintEncodings(graph, documentOf(ACTIVATIONS, { ...PARAMETERS, 'q.weight': { ...channels(6, 16), scale: Float64Array.from(scales) } as TensorEncoding }))).filter((line) => line.startsWith('split-codes'));
    expect(perChannel([1, 2, 1, 1, 1, 1])).toEqual([]);
    expect(perChannel([2, 1, 2, 2, 2, 2])).toEqual(['split-codes error q.weight']);
  });

  test('heads of a cache with scales of their own', () => {
    const heads = { ...cache, headScales: [0.01, 0.004] } as TensorEncoding;
    expect(lint({ past_key_0_in: heads, past_key_0_out: heads, keys: heads })).toEqual([]);
    expect(said(lint({ past_key_0_in: heads, past_key_0_out: { ...heads, headScales: [0.01, 0.005] } as TensorEncoding, keys: heads }))).toEqual(['movement error keys', 'cache-tied error past_key_0_out']);
    const head = (scale: number): TensorEncoding => ({ ...cache, scale }) as TensorEncoding;
    const before = documentOf({ past_key_0_in: heads });
    const after = (second: number): EncodingsDocument => documentOf({ past_key_0_in: heads, past_key_0_in_sha_0: head(0.01), past_key_0_in_sha_1: head(second) });
    const renames = new Map([['past_key_0_in', ['past_key_0_in', 'past_key_0_in_sha_0', 'past_key_0_in_sha_1']]]);
    expect(lintCarried(before, after(0.004), renames)).toEqual([]);
    expect(said(lintCarried(before, after(0.01), renames))).toEqual(['head-map error past_key_0_in_sha_1']);
    const graph = new Graph('cut');
    const split = graph.addNode({ opType: 'Split', name: '/cut', inputs: [graph.addInput('past_key_0_in', DataType.FLOAT, [2, 1, 8, 4])], outputs: ['past_key_0_in_sha_0', 'past_key_0_in_sha_1'] });
    split.outputs.forEach((value) => { value.dtype = DataType.FLOAT; });
    expect(lintEncodings(graph, after(0.004))).toEqual([]);
    expect(said(lintEncodings(graph, after(0.01)))).toEqual(['movement error past_key_0_in_sha_1', 'cache-tied error past_key_0_in_sha_1']);
    expect(said(lintGraphs([{ name: 'a', graph, encodings: after(0.004) }, { name: 'b', graph, encodings: after(0.01) }]))).toEqual(['cache-across-graphs error past_key_0_in_sha_1']);
  });

  test('every rule is broken above, and none twice', () => {
    const broken = new Set([...BREACHES.flatMap(([, , , expected]) => expected.map((line) => line.split(' ')[0])), 'cache-tied', 'second-operand', 'cache-form', 'score-step', 'split-codes']);
    expect(LINT_RULES.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([]);
    expect(new Set(LINT_RULES.map(({ name }) => name)).size).toBe(LINT_RULES.length);
  });

  test('the documentation has the words of every rule, in their order', () => {
    const rows = readFileSync(repositoryPath('docs/formats/encodings.md'), 'utf8').split('\n').filter((line) => line.startsWith('| `'));
    expect(rows).toEqual(LINT_RULES.map(({ name, asks, host }) => `| \`${name}\` | ${asks} | ${host} |`));
  });

  test('a graph whose weights alone are quantized needs no encodings of activations', () => {
    expect(lintEncodings(layer(), documentOf({}, PARAMETERS))).toEqual([]);
  });

  test.each([['tiny_2.0.0', []], ['tiny_2.0.0_signed', []], ['tiny_pc_2.0.0', []], ['tiny_1.0.0', ['r1', 't1', 'r2', 't2', 'r3']], ['tiny_pc_0.6.1', ['r1', 't1', 'r2', 't2', 'r3']]])('AIMET\'s %s over its own graph lacks %j, what is only moved', (name, moved) => {
    const graph = aimetGraph();
    const text = readFileSync(repositoryPath(`packages/quantize/test/fixtures/aimet-encodings/${name}.encodings`), 'utf8');
    expect(said(lintEncodings(graph, parseEncodings(text, { graph })))).toEqual(moved.map((tensor) => `coverage error ${tensor}`));
  });

  test('AIMET\'s float scales of blocks beside integer activations', () => {
    const graph = aimetGraph();
    const text = readFileSync(repositoryPath('packages/quantize/test/fixtures/aimet-encodings/tiny_bq_2.0.0.encodings'), 'utf8');
    expect(said(lintEncodings(graph, parseEncodings(text, { graph })))).toEqual(['w_matmul', 'w_gemm', 'w_conv'].map((name) => `float-blocks error ${name}`));
  });
});

describe('several graphs', () => {
  const graph = layer();
  const base = { name: 'ar1', graph, encodings: documentOf(ACTIVATIONS) };

  test('the cache of a layer has one encoding in all of them', () => {
    expect(lintGraphs([base, { ...base, name: 'ar8' }])).toEqual([]);
    const other = { ...base, name: 'ar8', encodings: documentOf({ ...ACTIVATIONS, past_key_0_out: { ...cache, scale: 0.02 } as TensorEncoding }) };
    expect(said(lintGraphs([base, other]))).toEqual(['cache-across-graphs error past_key_0_out']);
  });

  test('a value at a cut has one encoding on both sides', () => {
    const next = new Graph('next');
    next.addInput('logits', DataType.FLOAT, [1]);
    const part = (logits: TensorEncoding | undefined): Parameters<typeof lintParts>[0][number] => ({ name: 'part 2', graph: next, encodings: documentOf({ logits }) });
    expect(lintParts([base, part(ACTIVATIONS['logits'])])).toEqual([]);
    expect(said(lintParts([base, part(u16(0.7))]))).toEqual(['boundary error logits']);
    expect(said(lintParts([base, part(undefined)]))).toEqual(['boundary error logits']);
  });
});

describe('a rewrite into heads', () => {
  const renames = new Map([['queries', ['queries_0', 'queries_1']], ['q.weight', ['q_0', 'q_1']], ['past', ['past', 'past_0', 'past_1']]]);
  const before = documentOf({ queries: u16(0.3), other: u16(0.1), past: cache }, { 'q.weight': lpbq });
  const half = (from: number): TensorEncoding => ({ ...lpbq, channelScale: Float64Array.from([1, 2, 3]).map((n) => (n + from) / 8), blockScale: new Uint8Array(6).fill(16) });
  const source = documentOf({ queries: u16(0.3), other: u16(0.1), past: cache }, { 'q.weight': { ...lpbq, channelScale: Float64Array.from([1, 2, 3, 4, 5, 6]).map((n) => n / 8) } });

  test('copies of one grid and slices of channels', () => {
    const after = documentOf({ queries_0: u16(0.3), queries_1: u16(0.3), other: u16(0.1), past: cache, past_1: cache }, { q_0: half(0), q_1: half(3) });
    expect(lintCarried(source, after, renames)).toEqual([]);
  });

  test.each<[string, EncodingsDocument]>([
    ['queries_1', documentOf({ queries_0: u16(0.3), queries_1: u16(0.4) })],
    ['other', documentOf({ other: u16(0.2) })],
    ['q_1', documentOf({}, { q_0: half(0), q_1: half(0) })],
    ['q_0', documentOf({}, { q_0: lpbq })],
    ['past_0', documentOf({ past: cache, past_0: { ...cache, scale: 1 } as TensorEncoding })],
  ])('%s is another', (tensor, after) => {
    expect(said(lintCarried(source, after, renames))).toEqual([`head-map error ${tensor}`]);
  });

  test('channels that heads cannot share', () => {
    const uneven = documentOf({}, { 'q.weight': channels(5) });
    expect(said(lintCarried(uneven, documentOf({}, { q_0: channels(2) }), renames))).toEqual(['head-map error q_0']);
    expect(lintCarried(before, documentOf({}), renames)).toEqual([]);
  });
});

describe('adapters', () => {
  const lora = (scale: number): TensorEncoding => ({ kind: 'per-tensor', grid: { bits: 16, signed: true, symmetric: true }, scale, zeroPoint: 32768 });
  const adapter = (name: string, scale: number, activations: Change = {}, parameters: Change = {}): AdapterEncodings => ({ name, encodings: documentOf({ hidden: u16(0.1), alpha: u16(1), ...activations }, { 'q.weight': lpbq, 'q.lora_A': lora(scale), ...parameters }) });
  const said2 = (...adapters: AdapterEncodings[]): string[] => said(lintAdapters(adapters, ['alpha']));

  test('that share a base', () => {
    expect(said2(adapter('a', 1), adapter('b', 2))).toEqual([]);
    expect(said2()).toEqual([]);
  });

  test.each<[string, AdapterEncodings]>([
    ['adapter-activations error hidden', adapter('b', 2, { hidden: undefined })],
    ['adapter-activations error more', adapter('b', 2, { more: u16(1) })],
    ['adapter-base-weights error q.weight', adapter('b', 2, {}, { 'q.weight': { ...lpbq, blockScale: new Uint8Array(12).fill(15) } })],
    ['adapter-base-weights error q.weight', adapter('b', 2, {}, { 'q.weight': undefined })],
    ['adapter-weights error q.lora_A', adapter('b', 2, {}, { 'q.lora_A': channels(6, 16) })],
    ['adapter-weights error q.lora_A', adapter('b', 2, {}, { 'q.lora_A': cache })],
    ['adapter-weights warning q.lora_A', adapter('b', 1)],
  ])('%s', (expected, second) => {
    expect(said2(adapter('a', 1), second)).toEqual([expected]);
  });

  test('an adapter without an encoding of its strength', () => {
    const mute = (name: string, scale: number): AdapterEncodings => adapter(name, scale, { alpha: undefined });
    expect(said2(mute('a', 1), mute('b', 2))).toEqual(['adapter-alpha error alpha', 'adapter-alpha error alpha']);
  });
});
