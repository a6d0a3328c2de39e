/** The mini-llama composed: what its plans hold without any library, and what the vendor's emulator makes of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { sanitiseName } from '@tundish/graph';
import type { GraphIo, ProducedFile, ToolchainContext } from '@tundish/toolchain';
import { ELEMENT_CODES, type QairtLibraries, type QnnGraphPlan, TENSOR_KINDS, childOptionsOf, composeGraph, elementsOf, inspectContextBinary, libraryPath, withChild } from '@tundish/toolchain-qairt';
import { hostToolchain } from '@tundish/toolchain-host';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { type Codes, runOnCodes } from './code-runner.js';
import { type LlamaPart, evaluationTokens, llamaParts } from './llama-parts.js';
import { realLibraries } from './real-libraries.js';

const [AR, CL] = [32, 128];
const real = realLibraries();

let parts: LlamaPart[];
let plans: QnnGraphPlan[];
let scratch: string;
beforeAll(async () => {
  ensureAddon();
  scratch = mkdtempSync(join(tmpdir(), 'tundish-compose-'));
  parts = await llamaParts(`{ ar: [1, ${AR}], cl: [${CL}], parts: 2 }`, 'weights: { scheme: lpbq, bits: 4, blockSize: 32 }');
  plans = parts.map(({ model, encodings, name }) => composeGraph(model, encodings, name));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the plan of every graph', () => {
  it('has the inputs and outputs of the adapted graph, as codes', () => {
    expect(plans.map(({ name }) => name)).toEqual([1, 2].flatMap((part) => [1, AR].map((ar) => `ar${ar}_cl${CL}_${part}_of_2`)).sort((a, b) => parts.findIndex(({ name }) => name === a) - parts.findIndex(({ name }) => name === b)));
    for (const [i, { inputs, outputs, tensors }] of plans.entries()) {
      const { graph } = (parts[i] as LlamaPart).model;
      expect(inputs.map(({ name, dims }) => [name, dims])).toEqual(graph.inputs.map(({ name, shape }) => [sanitiseName(name), shape]));
      expect(outputs.map(({ name, dims }) => [name, dims])).toEqual(graph.outputs.map(({ name, shape }) => [sanitiseName(name), shape]));
      const elements = new Map([...inputs, ...outputs].map(({ name, element }) => [name, element]));
      for (const [name, element] of elements) expect([name, element]).toEqual([name, name === 'input_ids' ? ELEMENT_CODES.INT_32 : name.startsWith('past_') ? ELEMENT_CODES.UFIXED_POINT_8 : ELEMENT_CODES.UFIXED_POINT_16]);
      expect(tensors.filter(({ kind }) => kind === TENSOR_KINDS.input)).toEqual(inputs);
      expect(tensors.filter(({ kind }) => kind === TENSOR_KINDS.output)).toEqual(outputs);
    }
    const names = plans.flatMap(({ inputs, outputs }) => [...inputs, ...outputs].map(({ name }) => name));
    for (const name of ['input_ids', 'attention_mask', 'position_ids_cos', 'position_ids_sin', 'past_key_0_in', 'past_value_3_out', 'logits']) expect(names).toContain(name);
    expect(names.every((name) => /^[A-Za-z_]\w*$/.test(name))).toBe(true);
  });

  it('makes every tensor before it is read, once, and gives it a quantization', () => {
    for (const { inputs, outputs, tensors, operations } of plans) {
      const known = new Map(tensors.map((tensor) => [tensor.name, tensor]));
      expect(known.size).toBe(tensors.length);
      const made = new Set([...inputs, ...tensors.filter(({ kind }) => kind === TENSOR_KINDS.constant)].map(({ name }) => name));
      for (const operation of operations) {
        expect(operation.inputs.filter((name) => !made.has(name)), operation.name).toEqual([]);
        for (const name of operation.outputs) {
          expect(made.has(name), name).toBe(false);
          expect(known.has(name), name).toBe(true);
          made.add(name);
        }
      }
      expect(made.size).toBe(tensors.length);
      expect(outputs.every(({ name }) => made.has(name))).toBe(true);
      expect(tensors.filter(({ element, quantization }) => element !== ELEMENT_CODES.INT_32 && quantization === undefined)).toEqual([]);
    }
  });

  it('has one operation for what the study composed', () => {
    const last = plans[plans.findIndex(({ name }) => name === `ar${AR}_cl${CL}_2_of_2`)] as QnnGraphPlan;
    const counts: Record<string, number> = {};
    for (const { type } of last.operations) counts[type] = (counts[type] ?? 0) + 1;
    // Three layers of 8 query and 2 cache heads: 12 + 4 projections a layer, a head; scales of scores are nowhere.
    expect(counts).toEqual({
      Conv2d: 3 * 16 + 1, RmsNorm: 3 * 2 + 1, MatMul: 3 * 16, Softmax: 3 * 8, Sigmoid: 3, Convert: 3 * 4,
      ElementWiseAdd: 3 * (10 + 8 + 2), ElementWiseSubtract: 3 * 10, ElementWiseMultiply: 3 * (40 + 2),
      StridedSlice: 3 * (20 + 4), Concat: 3 * (10 + 4 + 1 + 2), Transpose: 3 * 2, Reshape: 2,
    });
  });

  it('keeps one encoding through what moves data, and ties both sides of a cache', () => {
    for (const { inputs, outputs, tensors, operations } of plans) {
      const known = new Map(tensors.map((tensor) => [tensor.name, tensor]));
      const grid = (name: string): unknown => known.get(name)?.quantization;
      for (const { type, inputs: sources, outputs: [output = ''], name } of operations) {
        if (['Concat', 'StridedSlice', 'Transpose', 'Reshape'].includes(type)) for (const source of sources) expect(grid(source), name).toEqual(grid(output));
      }
      for (const input of inputs.filter(({ name }) => name.startsWith('past_'))) expect(outputs.find(({ name }) => name === input.name.replace(/_in$/, '_out'))?.quantization).toEqual(input.quantization);
    }
  });

  it('states what calibration measured, times 1/sqrt(D) from the query projection to the scores', () => {
    for (const [i, { tensors }] of plans.entries()) {
      const { encodings: { activations } } = parts[i] as LlamaPart;
      const queries = /q_proj_MatMul|self_attn_(Transpose|Split|Mul|Mul_[123]|Sub|Add|Concat)_output_\d+_sha/;
      let compared = 0;
      for (const [name, { scale, zeroPoint }] of activations) {
        const tensor = tensors.find((candidate) => candidate.name === sanitiseName(name));
        if (tensor === undefined) continue;
        const factor = queries.test(tensor.name) ? Math.fround(1 / Math.sqrt(32)) : 1;
        expect([name, tensor.quantization]).toEqual([name, { kind: 'scale_offset', scale: Math.fround(scale * factor), offset: zeroPoint === 0 ? 0 : -zeroPoint }]);
        compared++;
      }
      expect(compared).toBeGreaterThan(100);
    }
  });

  it('has the same constants in every graph of a part', () => {
    for (const part of [1, 2]) {
      const [one, other] = plans.filter((_, i) => parts[i]?.cell.part === part).map(({ tensors }) => tensors.filter(({ kind }) => kind === TENSOR_KINDS.constant));
      expect(other).toEqual(one);
    }
  });
});

describe.skipIf(real.length === 0).each(real)('composed by %s', (title, libraries: QairtLibraries) => {
  it('computes what the simulation of the host computes', async () => {
    const chosen = parts.filter(({ cell }) => cell.ar === AR);
    const tokens = await evaluationTokens(CL);
    const host = await runHost(chosen, tokens);
    const device = await runEmulator(libraries, chosen, tokens, title);
    expect([...device.keys()]).toEqual([...host.codes.keys()]);
    const logits = logitDistance(host, device);
    const hidden = [...device.keys()].filter((name) => !/past_|logits/.test(name));
    const caches = [...device.keys()].filter((name) => /past_/.test(name));
    process.stdout.write(`${title}: logits ${JSON.stringify(logits)}, boundary ${JSON.stringify(distance(hidden, host.codes, device))}, caches ${JSON.stringify(distance(caches, host.codes, device))}\n`);
    expect(logits.kl).toBeLessThan(0.0004);
    expect(logits.top1).toBeGreaterThan(0.96);
    expect(distance(caches, host.codes, device).mean).toBeLessThan(0.05);
  });
});

interface HostRun {
  readonly codes: Map<string, Codes>;
  readonly io: readonly GraphIo[];
}

async function runHost(chosen: readonly LlamaPart[], tokens: Int32Array): Promise<HostRun> {
  const host = hostToolchain();
  const opened = await Promise.all(chosen.map(async ({ cell, model, encodings, paths, name }) => {
    const context = hostContext();
    const converted = await host.convert(context, { cell, model, encodings, options: {} });
    const files = placed(converted.files, name, paths);
    const compiled = await host.compile(context, { part: cell.part, parts: cell.parts, graphs: [{ io: converted.io, files }], resolve: (location) => paths[location] as string, options: {} });
    return { io: converted.io, executable: await host.open({ graphs: compiled.graphs, files: placed(compiled.files, `${name}-compiled`, paths), threads: 1 }) };
  }));
  const io = opened.map((part) => part.io);
  const codes = await runOnCodes(io, { ar: AR, cl: CL }, tokens, async (part, inputs) => {
    const { executable, io: { name } } = opened[part] as (typeof opened)[number];
    return Object.fromEntries(await executable.run(name, new Map(Object.entries(inputs)))) as Record<string, Codes>;
  });
  await Promise.all(opened.map(({ executable }) => executable.close()));
  return { codes, io };
}

function hostContext(): ToolchainContext {
  return { signal: new AbortController().signal, reporter: silentReporter, scratch: mkdtempSync(join(scratch, 'host-')) };
}

function placed(files: readonly ProducedFile[], prefix: string, paths: LlamaPart['paths']): Map<string, string> {
  return new Map(files.map(({ name, content }) => {
    if ('path' in content) return [name, content.path];
    if ('location' in content) return [name, paths[content.location] as string];
    const path = join(scratch, `${prefix}-${name}`);
    writeFileSync(path, content.bytes);
    return [name, path];
  }));
}

async function runEmulator(libraries: QairtLibraries, chosen: readonly LlamaPart[], tokens: Int32Array, title: string): Promise<Map<string, Codes>> {
  return withChild(childOptionsOf(libraries), async (child) => {
    await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: 1, soc: 69 });
    const graphs = [];
    for (const { model, encodings, name, paths } of chosen) {
      const plan = composeGraph(model, encodings, name);
      const context = await child.call('createContext', { weightSharing: false });
      const graph = await child.call('composePlan', { context, plan, paths, options: { optimization: 3, vtcmMegabytes: 8 } }, { subject: name });
      await child.call('finalize', { graph }, { subject: name });
      await assertBinary(libraries, await child.call('writeBinary', { context, path: binaryOf(title, name) }), binaryOf(title, name), plan);
      graphs.push({ graph, plan });
    }
    const io = await Promise.all(chosen.map(async ({ cell, model, encodings }) => (await hostToolchain().convert(hostContext(), { cell, model, encodings, options: {} })).io));
    return runOnCodes(io, { ar: AR, cl: CL }, tokens, async (part, inputs) => {
      const { graph, plan } = graphs[part] as (typeof graphs)[number];
      const results = await child.call('execute', { graph, inputs: Object.fromEntries(Object.entries(inputs).map(([name, codes]) => [sanitiseName(name), codes])) });
      return Object.fromEntries((chosen[part] as LlamaPart).model.graph.outputs.map(({ name }, i) => [name, elementsOf(results[sanitiseName(name)] as Uint8Array, plan.outputs[i]?.element ?? 0) as Codes]));
    });
  });
}

const binaryOf = (title: string, name: string): string => join(scratch, `${title.replaceAll(/\W/g, '_')}-${name}.bin`);

/** The binary says of its inputs and outputs what the plan does. */
async function assertBinary(libraries: QairtLibraries, bytes: number, path: string, plan: QnnGraphPlan): Promise<void> {
  const { graphs, socModel } = await inspectContextBinary(path, libraries);
  expect(bytes).toBeGreaterThan(1e6);
  expect(socModel).toBe(69);
  const rows = (tensors: QnnGraphPlan['inputs']) => tensors.map(({ name, dims, quantization }) => ({ name, shape: dims, ...(quantization === undefined ? {} : { quantization }) }));
  expect(graphs).toMatchObject([{ name: plan.name, inputs: rows(plan.inputs), outputs: rows(plan.outputs) }]);
}

function distance(names: readonly string[], a: ReadonlyMap<string, Codes>, b: ReadonlyMap<string, Codes>): { readonly mean: number; readonly max: number } {
  let [sum, max, count] = [0, 0, 0];
  for (const name of names) {
    const [x, y] = [a.get(name) as Codes, b.get(name) as Codes];
    for (let i = 0; i < x.length; i++, count++) {
      const difference = Math.abs((x[i] as number) - (y[i] as number));
      sum += difference;
      max = Math.max(max, difference);
    }
  }
  return { mean: sum / count, max };
}

/** Codes, nats, and the share of positions whose most likely token is the same. */
function logitDistance({ codes, io }: HostRun, device: ReadonlyMap<string, Codes>): { readonly mean: number; readonly max: number; readonly kl: number; readonly top1: number } {
  const logits = io.at(-1)?.outputs.find(({ name }) => name === 'logits');
  const [scale, vocabulary] = [logits?.quantization?.scale ?? 0, logits?.shape.at(-1) ?? 0];
  const names = [...device.keys()].filter((name) => name.endsWith(' logits'));
  let [kl, same, positions] = [0, 0, 0];
  for (const name of names) {
    const [ours, theirs] = [codes.get(name) as Codes, device.get(name) as Codes];
    for (let at = 0; at < ours.length; at += vocabulary, positions++) {
      const [p, q] = [theirs, ours].map((row) => softmax(row.subarray(at, at + vocabulary), scale)) as [Float64Array, Float64Array];
      kl += p.reduce((sum, value, i) => sum + value * Math.log(value / (q[i] as number)), 0);
      same += p.indexOf(Math.max(...p)) === q.indexOf(Math.max(...q)) ? 1 : 0;
    }
  }
  return { ...distance(names, codes, device), kl: kl / positions, top1: same / positions };
}

function softmax(codes: Codes, scale: number): Float64Array {
  const largest = Math.max(...codes);
  const exponentials = Float64Array.from(codes, (code) => Math.exp((code - largest) * scale));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}
