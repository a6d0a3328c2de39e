/** Every operation of the mini-llama in the vendor's emulator against exact arithmetic, its encodings against the simulation, and that both see what is wrong. */
import { DataType, type PerTensorEncoding, type Tensor } from '@tundish/graph';
import type { QnnData } from '@tundish/native/qnn';
import { type ComposeOptions, ENCODING_FINDINGS, type EncodingRow, OperationErrors, type OperationError, type PlannedTensor, type QnnGraphPlan, encodingRows, weightRows } from '@tundish/toolchain-qairt';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { evaluationTokens, llamaParts } from './llama-parts.js';
import { describeWith, realLibraries } from './real-libraries.js';
import { type TappedRun, runTapped } from './tapped-run.js';

const real = realLibraries();

beforeAll(ensureAddon);

function operationErrors({ plan, part: { paths }, codes }: TappedRun, changed: { readonly plan?: QnnGraphPlan; readonly codes?: ReadonlyMap<string, QnnData> } = {}): OperationError[] {
  const errors = new OperationErrors(changed.plan ?? plan, paths);
  errors.add(changed.codes ?? codes);
  return errors.rows();
}

const failing = (rows: readonly OperationError[]): string[] => rows.filter(({ share }) => share > 1).map(({ kind }) => kind);

function findings({ part: { model, encodings }, plan, binary }: TappedRun, change: (name: string, encoding: PerTensorEncoding) => PerTensorEncoding | undefined = (_, encoding) => encoding): EncodingRow[] {
  const simulated = new Map([...encodings.activations].flatMap(([name, encoding]) => {
    const changed = change(name, encoding);
    return changed === undefined ? [] : [[name, changed] as const];
  }));
  return encodingRows({ graph: model.graph, simulated, plan, binary }).filter(({ state }) => ENCODING_FINDINGS.has(state));
}

const LPBQ = 'weights: { scheme: lpbq, bits: 4, blockSize: 32 }';
const FORMS: readonly (readonly [form: string, quantize: string, options?: ComposeOptions])[] = [
  ['LPBQ', LPBQ],
  ['LPBQ, rotary embedding as one operation', LPBQ, { rotaryEmbedding: 'operation' }],
  ['4 bits a channel', 'weights: { scheme: per_channel, bits: 4 }'],
  ['a cache of 16 bits', 'weights: { scheme: lpbq, bits: 4, blockSize: 16 }, kvCache: { bits: 16 }'],
  ['an embedding of 8 bits', 'weights: { scheme: per_channel, bits: 8 }, embedding: { bits: 8 }'],
];

describe.skipIf(real.length === 0)('every operation passes its gate, every encoding is that of the simulation', () => {
  // All forms with the newest build, two with the others.
  it.each(real.flatMap(([title, libraries], i) => FORMS.slice(0, i === 0 ? FORMS.length : 2).map(([form, quantize, options = {}]) => [form, title, quantize, options, libraries] as const)))('%s, %s', async (_form, _title, quantize, options, libraries) => {
    const parts = await llamaParts('{ ar: [32], cl: [128], parts: 2 }', quantize);
    const runs = await runTapped(libraries, parts.map((part) => ({ ...part, options })), await evaluationTokens(96));
    const rows = runs.flatMap((run) => operationErrors(run));
    expect(rows.length).toBe(runs.reduce((count, { plan }) => count + plan.operations.length, 0));
    expect(rows.filter(({ share }) => share > 1)).toEqual([]);
    expect(runs.flatMap((run) => findings(run))).toEqual([]);
    const weights = runs.flatMap(({ part: { model, encodings, paths }, plan }) => weightRows({ graph: model.graph, parameters: encodings.parameters, plan, paths }));
    expect(weights.length).toBe(4 * 16 + 1);
    expect(weights.filter(({ state }) => ENCODING_FINDINGS.has(state))).toEqual([]);
    // The gates are no wider than they must be.
    expect(Math.max(...rows.filter(({ gate }) => gate.max > 0).map(({ share }) => share))).toBeGreaterThan(0.5);
  });
});

describeWith(real.slice(0, 1), 'what is wrong on purpose, with %s', (_title, libraries) => {
  let run: TappedRun;
  beforeAll(async () => {
    const parts = await llamaParts('{ ar: [32], cl: [128], parts: 2 }', LPBQ);
    run = (await runTapped(libraries, parts, await evaluationTokens(64)))[1] as TappedRun;
  });

  /** The plan by which the models compute, with tensors changed. */
  const told = (change: (tensor: PlannedTensor) => PlannedTensor): QnnGraphPlan => ({ ...run.plan, tensors: run.plan.tensors.map(change) });
  const scaled = (factor: number) => (tensor: PlannedTensor): PlannedTensor => (tensor.name.startsWith('past_') && tensor.quantization?.kind === 'scale_offset' && tensor.quantization.offset === -128 ? { ...tensor, quantization: { ...tensor.quantization, scale: tensor.quantization.scale * factor } } : tensor);

  it.each([['5 % larger', 1.05], ['of 128 steps instead of 127', 127 / 128]])('scales of the cache: %s', (_form, factor) => {
    expect(failing(operationErrors(run, { plan: told(scaled(factor)) }))).toContain('Convert to 8 bits');
    const rows = findings(run, (name, encoding) => (name.startsWith('past_') ? { ...encoding, scale: Math.fround(encoding.scale * factor) } : encoding));
    expect(rows.map(({ state }) => state)).toContain('different');
    expect(rows.map(({ tensor }) => tensor)).toContain('past_key_2_in');
  });

  it('conversions that truncate', () => {
    expect(failing(operationErrors(run, { codes: lowered('Convert') }))).toContain('Convert to 8 bits');
  });

  it('sums that truncate', () => {
    expect(failing(operationErrors(run, { codes: lowered('ElementWiseAdd') }))).toContain('ElementWiseAdd');
  });

  /** Half a code less, as truncating gives on average: every second code of what these operations make. */
  function lowered(type: string): Map<string, QnnData> {
    const made = new Set(run.plan.operations.filter((operation) => operation.type === type).flatMap(({ outputs }) => outputs));
    return new Map([...run.codes].map(([name, codes]) => [name, made.has(name) ? (codes.map((code, i) => Math.max(0, code - (i % 2))) as QnnData) : codes]));
  }

  /** Other integers, one a block of 32. */
  function sevens([, , columns = 0, rows = 0]: readonly number[]): Tensor {
    return { kind: 'inline', dtype: DataType.UINT8, dims: [rows, columns / 32], data: new Uint8Array((rows * columns) / 32).fill(7) };
  }

  it('blocks whose scales have not 4 bits', () => {
    const plan = told((tensor) => (tensor.quantization?.kind === 'blockwise' ? { ...tensor, quantization: { ...tensor.quantization, blockScales: sevens(tensor.dims) } } : tensor));
    expect(failing(operationErrors(run, { plan }))).toContain('Conv2d LPBQ');
    const { model, encodings, paths } = run.part;
    expect(weightRows({ graph: model.graph, parameters: encodings.parameters, plan, paths }).filter(({ state }) => state === 'different').length).toBe(3 * 16);
  });

  it('weights of the head that are not quantized in the simulation', () => {
    const { model, encodings, paths } = run.part;
    const parameters = new Map([...encodings.parameters].filter(([name]) => !name.includes('lm_head') && !name.includes('embed_tokens')));
    expect(weightRows({ graph: model.graph, parameters, plan: run.plan, paths }).filter(({ state }) => state === 'unsimulated').length).toBe(1);
  });

  it('an activation of 8 bits, and one without any rounding', () => {
    const eight = findings(run, (name, encoding) => (/layers\.2\/mlp\/Mul|layers_2_mlp_Mul/.test(name) ? { ...encoding, dtype: 'uint8', scale: encoding.scale * 256, zeroPoint: encoding.zeroPoint >> 8 } : encoding));
    expect(eight.map(({ state }) => state)).toContain('different');
    const missing = findings(run, (name, encoding) => (/mlp.*act.*Sigmoid|Sigmoid/.test(name) ? undefined : encoding));
    expect(missing.map(({ state }) => state)).toEqual(['unsimulated', 'unsimulated', 'unsimulated']);
  });

  it('no rounding of activations at all but of the cache', () => {
    const rows = findings(run, (name, encoding) => (name.startsWith('past_') ? encoding : undefined));
    expect(rows.filter(({ state }) => state === 'unsimulated').length).toBeGreaterThan(400);
  });

  it('a mask that is added on a grid of its own', () => {
    const rows = findings(run, (name, encoding) => (/self_attn\/?_?Add_2_output/.test(name.replaceAll('.', '_')) ? { ...encoding, scale: Math.fround(250 / 65_535), zeroPoint: 57_671 } : encoding));
    expect(rows.length).toBe(3 * 8);
  });

  it('a grid that the binary does not have', () => {
    const outputs = run.binary.outputs.map((tensor, i) => (i === 40 ? { ...tensor, quantization: { kind: 'scale_offset', scale: 1, offset: 0 } as const } : tensor));
    expect(findings({ ...run, binary: { ...run.binary, outputs } }).map(({ state }) => state)).toEqual(['different']);
    expect(findings({ ...run, binary: { ...run.binary, outputs: run.binary.outputs.filter((_, i) => i !== 40) } }).map(({ state }) => state)).toEqual(['absent']);
  });
});
