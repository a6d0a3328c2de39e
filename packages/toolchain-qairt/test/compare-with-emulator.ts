/** Runs composed parts in the vendor's emulator and lowered ones on the host, over the same tokens and codes, and says how far they are apart. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { type Value, sanitiseName } from '@tundish/graph';
import type { Executable, GraphIo, ProducedFile, ToolchainContext } from '@tundish/toolchain';
import { type QairtLibraries, type QnnGraphPlan, childOptionsOf, composeGraph, elementsOf, inspectContextBinary, libraryPath, withChild } from '@tundish/toolchain-qairt';
import { hostToolchain } from '@tundish/toolchain-host';
import { afterAll, expect } from 'vitest';
import { type CodeTensor, type Codes, type PartIo, runOnCodes } from './code-runner.js';
import { type Agreement, type ComparedPosition, agreement, comparePositions } from './logit-agreement.js';
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
  readonly logits: Distance & Agreement;
  readonly caches: Distance;
  /** What the emulator gave, by pass and output. */
  readonly device: ReadonlyMap<string, Codes>;
}

export type Numerics = 'exact' | 'htp';

/** Every output of every pass over these tokens, by `<pass> <name>`. */
export type RunTokens = (tokens: Int32Array) => Promise<Map<string, Codes>>;

/** @param parts all of one AR and CL, in order */
export async function compareWithEmulator(libraries: QairtLibraries, soc: number, parts: readonly LlamaPart[], tokens: Int32Array, numerics: Numerics = 'exact'): Promise<Comparison> {
  const host = await withHost(parts, numerics, (run) => run(tokens));
  const device = await runEmulator(libraries, soc, parts, tokens);
  expect([...device.keys()]).toEqual([...host.keys()]);
  const [logits, caches] = [' logits', 'past_'].map((part) => distance([...device.keys()].filter((name) => name.includes(part)), host, device)) as [Distance, Distance];
  return { logits: { ...logits, ...agreement(compareLogits(parts, tokens, host, device)) }, caches, device };
}

/** The parts lowered, compiled and opened by the host. */
export async function openOnHost(parts: readonly LlamaPart[], numerics: Numerics): Promise<{ readonly io: GraphIo; readonly executable: Executable }[]> {
  const host = hostToolchain();
  const folder = temporaryFolder();
  return Promise.all(parts.map(async ({ cell, model, encodings, paths, name, options }) => {
    const context = hostContext();
    const converted = await host.convert(context, { cell, model, encodings, options: { ...options, numerics } });
    const files = placed(converted.files, join(folder, name), paths);
    const compiled = await host.compile(context, { part: cell.part, parts: cell.parts, graphs: [{ io: converted.io, files }], resolve: (location) => paths[location] as string, options: {} });
    return { io: converted.io, executable: await host.open({ graphs: compiled.graphs, files: placed(compiled.files, join(folder, `${name}-compiled`), paths), threads: 1 }) };
  }));
}

/** Runs over codes with the host. */
export async function withHost<T>(parts: readonly LlamaPart[], numerics: Numerics, use: (run: RunTokens) => Promise<T>): Promise<T> {
  const opened = await openOnHost(parts, numerics);
  try {
    return await use((tokens) => runOnCodes(opened.map((part) => part.io), sizeOf(parts), tokens, async (part, inputs) => {
      const { executable, io: { name } } = opened[part] as (typeof opened)[number];
      return Object.fromEntries(await executable.run(name, new Map(Object.entries(inputs)))) as Record<string, Codes>;
    }));
  } finally {
    await Promise.all(opened.map(({ executable }) => executable.close()));
  }
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
  return withEmulator(libraries, soc, parts, (run) => run(tokens));
}

/** The parts composed and finalized for a chip, in a process of their own. */
export async function withEmulator<T>(libraries: QairtLibraries, soc: number, parts: readonly LlamaPart[], use: (run: RunTokens) => Promise<T>): Promise<T> {
  const folder = temporaryFolder();
  return withChild(childOptionsOf(libraries), async (child) => {
    await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: 1, soc });
    const graphs: { readonly graph: number; readonly plan: QnnGraphPlan }[] = [];
    for (const { model, encodings, name, paths, options } of parts) {
      const plan = composeGraph(model, encodings, name, options);
      const context = await child.call('createContext', { weightSharing: false });
      const graph = await child.call('composePlan', { context, plan, paths, options: { optimization: 3, vtcmMegabytes: 8 } }, { subject: name });
      await child.call('finalize', { graph }, { subject: name });
      const path = join(folder, `${name}.bin`);
      await child.call('writeBinary', { context, path });
      await assertBinary(libraries, path, plan, soc);
      graphs.push({ graph, plan });
    }
    return use((tokens) => runOnCodes(parts.map(ioOf), sizeOf(parts), tokens, async (part, inputs) => {
      const { graph, plan } = graphs[part] as (typeof graphs)[number];
      const results = await child.call('execute', { graph, inputs: Object.fromEntries(Object.entries(inputs).map(([name, codes]) => [sanitiseName(name), codes])) });
      return Object.fromEntries((parts[part] as LlamaPart).model.graph.outputs.map(({ name }, i) => [name, elementsOf(results[sanitiseName(name)] as Uint8Array, plan.outputs[i]?.element ?? 0) as Codes]));
    }));
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

/** The logits of every position. @throws when the last part gives none */
export function compareLogits(parts: readonly LlamaPart[], tokens: Int32Array, host: ReadonlyMap<string, Codes>, device: ReadonlyMap<string, Codes>): ComparedPosition[] {
  const { model: { graph }, encodings } = parts.at(-1) as LlamaPart;
  const logits = graph.outputs.find(({ name }) => name === 'logits');
  const [scale, vocabulary] = [encodings.activations.get('logits')?.scale ?? 0, Number(logits?.shape?.at(-1))];
  const { ar } = sizeOf(parts);
  return [...device.keys()].filter((name) => name.endsWith(' logits')).flatMap((name, pass) => comparePositions({
    device: device.get(name) as Codes, host: host.get(name) as Codes, scale, vocabulary, next: tokens.subarray(pass * ar + 1, (pass + 1) * ar + 1),
  }));
}
