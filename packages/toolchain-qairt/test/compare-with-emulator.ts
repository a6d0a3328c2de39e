/** Runs composed parts in the vendor's emulator and lowered ones on the host, over the same tokens and codes, and says how far they are apart. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { type Value, sanitiseName } from '@tundish/graph';
import type { GraphIo, ProducedFile, ToolchainContext } from '@tundish/toolchain';
import { type QairtLibraries, type QnnGraphPlan, childOptionsOf, composeGraph, elementsOf, inspectContextBinary, libraryPath, withChild } from '@tundish/toolchain-qairt';
import { hostToolchain } from '@tundish/toolchain-host';
import { afterAll, expect } from 'vitest';
import { type CodeTensor, type Codes, type PartIo, runOnCodes } from './code-runner.js';
import type { LlamaPart } from './llama-parts.js';

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tundish-compose-'));
  folders.push(folder);
  return folder;
}

/** Absolute differences of codes. */
export interface Distance {
  readonly mean: number;
  readonly max: number;
}

export interface Comparison {
  /** Codes; nats from the emulator to the simulation; the share of positions whose most likely token is the same. */
  readonly logits: Distance & { readonly kl: number; readonly top1: number };
  readonly caches: Distance;
  /** What the emulator gave, by pass and output. */
  readonly device: ReadonlyMap<string, Codes>;
}

/** @param parts all of one AR and CL, in order */
export async function compareWithEmulator(libraries: QairtLibraries, soc: number, parts: readonly LlamaPart[], tokens: Int32Array): Promise<Comparison> {
  const host = await runHost(parts, tokens);
  const device = await runEmulator(libraries, soc, parts, tokens);
  expect([...device.keys()]).toEqual([...host.codes.keys()]);
  const caches = [...device.keys()].filter((name) => name.includes('past_'));
  return { logits: logitDistance(host, device), caches: distance(caches, host.codes, device), device };
}

interface HostRun {
  readonly codes: Map<string, Codes>;
  readonly io: readonly GraphIo[];
}

async function runHost(parts: readonly LlamaPart[], tokens: Int32Array): Promise<HostRun> {
  const host = hostToolchain();
  const folder = temporaryFolder();
  const opened = await Promise.all(parts.map(async ({ cell, model, encodings, paths, name }) => {
    const context = hostContext();
    const converted = await host.convert(context, { cell, model, encodings, options: {} });
    const files = placed(converted.files, join(folder, name), paths);
    const compiled = await host.compile(context, { part: cell.part, parts: cell.parts, graphs: [{ io: converted.io, files }], resolve: (location) => paths[location] as string, options: {} });
    return { io: converted.io, executable: await host.open({ graphs: compiled.graphs, files: placed(compiled.files, join(folder, `${name}-compiled`), paths), threads: 1 }) };
  }));
  const io = opened.map((part) => part.io);
  const codes = await runOnCodes(io, sizeOf(parts), tokens, async (part, inputs) => {
    const { executable, io: { name } } = opened[part] as (typeof opened)[number];
    return Object.fromEntries(await executable.run(name, new Map(Object.entries(inputs)))) as Record<string, Codes>;
  });
  await Promise.all(opened.map(({ executable }) => executable.close()));
  return { codes, io };
}

/** Inputs and outputs by the names of the adapted graph, with their encodings. */
export function ioOf({ model: { graph }, encodings }: LlamaPart): PartIo {
  const row = ({ name, shape = [] }: Value): CodeTensor => {
    const encoding = encodings.activations.get(name);
    return { name, shape: shape.map(Number), ...(encoding === undefined ? {} : { dtype: encoding.dtype, quantization: encoding }) };
  };
  return { inputs: graph.inputs.map(row), outputs: graph.outputs.map(row) };
}

function sizeOf([part]: readonly LlamaPart[]): LlamaPart['cell'] {
  if (part === undefined) throw new Error('no parts to compare');
  return part.cell;
}

function hostContext(): ToolchainContext {
  return { signal: new AbortController().signal, reporter: silentReporter, scratch: temporaryFolder() };
}

function placed(files: readonly ProducedFile[], prefix: string, paths: LlamaPart['paths']): Map<string, string> {
  return new Map(files.map(({ name, content }) => {
    if ('path' in content) return [name, content.path];
    if ('location' in content) return [name, paths[content.location] as string];
    const path = `${prefix}-${name}`;
    writeFileSync(path, content.bytes);
    return [name, path];
  }));
}

/** What the emulator gives, by pass and output. */
export async function runEmulator(libraries: QairtLibraries, soc: number, parts: readonly LlamaPart[], tokens: Int32Array): Promise<Map<string, Codes>> {
  const folder = temporaryFolder();
  return withChild(childOptionsOf(libraries), async (child) => {
    await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: 1, soc });
    const graphs = [];
    for (const { model, encodings, name, paths } of parts) {
      const plan = composeGraph(model, encodings, name);
      const context = await child.call('createContext', { weightSharing: false });
      const graph = await child.call('composePlan', { context, plan, paths, options: { optimization: 3, vtcmMegabytes: 8 } }, { subject: name });
      await child.call('finalize', { graph }, { subject: name });
      const path = join(folder, `${name}.bin`);
      await child.call('writeBinary', { context, path });
      await assertBinary(libraries, path, plan, soc);
      graphs.push({ graph, plan });
    }
    return runOnCodes(parts.map(ioOf), sizeOf(parts), tokens, async (part, inputs) => {
      const { graph, plan } = graphs[part] as (typeof graphs)[number];
      const results = await child.call('execute', { graph, inputs: Object.fromEntries(Object.entries(inputs).map(([name, codes]) => [sanitiseName(name), codes])) });
      return Object.fromEntries((parts[part] as LlamaPart).model.graph.outputs.map(({ name }, i) => [name, elementsOf(results[sanitiseName(name)] as Uint8Array, plan.outputs[i]?.element ?? 0) as Codes]));
    });
  });
}

/** The binary says of its inputs and outputs what the plan does. */
async function assertBinary(libraries: QairtLibraries, path: string, plan: QnnGraphPlan, soc: number): Promise<void> {
  const { graphs, socModel } = await inspectContextBinary(path, libraries);
  expect(socModel).toBe(soc);
  const rows = (tensors: QnnGraphPlan['inputs']) => tensors.map(({ name, dims, quantization }) => ({ name, shape: dims, ...(quantization === undefined ? {} : { quantization }) }));
  expect(graphs).toMatchObject([{ name: plan.name, inputs: rows(plan.inputs), outputs: rows(plan.outputs) }]);
}

function distance(names: readonly string[], a: ReadonlyMap<string, Codes>, b: ReadonlyMap<string, Codes>): Distance {
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
function logitDistance({ codes, io }: HostRun, device: ReadonlyMap<string, Codes>): Comparison['logits'] {
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
