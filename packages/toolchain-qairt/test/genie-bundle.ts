/** Bundles of the trained mini-llama that this machine can run: compiled parts without shared weights, beside what is written from a plan. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type BundleBinary, type QairtLibraries, type QnnGraphPlan, bundleBinary, bundleFiles, childOptionsOf, composeGraph, inspectContextBinary, libraryPath, openBinary, withChild } from '@tundish/toolchain-qairt';
import type { Codes, Grid, PartIo } from './code-runner.js';
import { CHECKPOINT, type LlamaPart } from './llama-parts.js';
import { CHIP, samplePlan } from './sample-bundle.js';

export const [BOS, EOS] = [4091, 4092];

export interface WrittenBundle {
  readonly folder: string;
  /** Of the parts, absolute, in order. */
  readonly binaries: readonly { readonly path: string; readonly content: BundleBinary }[];
}

/** @param parts graphs of all parts and sizes @param folder is made */
export async function writeGenieBundle(libraries: QairtLibraries, parts: readonly LlamaPart[], folder: string): Promise<WrittenBundle> {
  mkdirSync(folder);
  const count = Math.max(...parts.map(({ cell }) => cell.part));
  const binaries: { path: string; content: BundleBinary }[] = [];
  for (let part = 1; part <= count; part++) {
    const path = join(folder, `mini-llama_part_${part}_of_${count}.bin`);
    await compilePart(libraries, parts.filter(({ cell }) => cell.part === part), path);
    binaries.push({ path, content: bundleBinary(await inspectContextBinary(path, libraries)) });
  }
  const plan = samplePlan({ parts: binaries.map(({ path, content }) => ({ file: path.slice(folder.length + 1), graphs: content.graphs })) });
  // Threads that poll would take the cores from the emulator.
  const device = { ...plan.device, engine: { ...plan.device.engine, threads: 1, poll: false } };
  const files = bundleFiles({ ...plan, device, checkpoint: { ...plan.checkpoint, tokens: { bos: BOS, eos: [EOS], pad: null } } });
  for (const { path, bytes } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
  for (const name of [plan.tokenizer, ...plan.carried]) copyFileSync(join(CHECKPOINT, name), join(folder, name));
  return { folder, binaries };
}

export interface CompileChange {
  readonly weightSharing?: boolean;
  /** What is composed in place of a plan. */
  alter?(plan: QnnGraphPlan): QnnGraphPlan;
}

/** @param graphs of one part */
export async function compilePart(libraries: QairtLibraries, graphs: readonly LlamaPart[], path: string, { weightSharing = false, alter = (plan) => plan }: CompileChange = {}): Promise<void> {
  await withChild(childOptionsOf(libraries), async (child) => {
    await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: 1, soc: CHIP.socModel });
    const context = await child.call('createContext', { weightSharing });
    for (const { model, encodings, name, paths, options } of graphs) {
      const graph = await child.call('composePlan', { context, plan: alter(composeGraph(model, encodings, name, options)), paths, options: { optimization: 3, vtcmMegabytes: CHIP.vtcmMb } }, { subject: name });
      await child.call('finalize', { graph }, { subject: name });
    }
    await child.call('writeBinary', { context, path });
  });
}

/** The binaries of a bundle loaded into the emulator, without the vendor's runtime. */
export async function withEmulator<T>(libraries: QairtLibraries, { binaries }: WrittenBundle, work: (grid: Grid) => Promise<T>): Promise<T> {
  return withChild(childOptionsOf(libraries), async (child) => {
    await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: 1, soc: CHIP.socModel });
    const opened = [];
    for (const { path } of binaries) opened.push(await openBinary(child, libraries, path));
    const named = (name: string): { readonly ar: number; readonly cl: number } => {
      const [, ar, cl] = /^ar(\d+)_cl(\d+)_/.exec(name) ?? [];
      return { ar: Number(ar), cl: Number(cl) };
    };
    const graphs = binaries.map(({ content }) => content.graphs.map((graph) => ({ ...graph, ...named(graph.name) })));
    const ars = new Set(graphs.flat().map(({ ar }) => ar));
    const parts = new Map([...ars].map((ar): [number, PartIo[]] => [ar, graphs.map((list) => list.find((graph) => graph.ar === ar) as PartIo)]));
    return work({
      parts, cl: graphs[0]?.[0]?.cl ?? 0,
      run: async (ar, part, inputs) => {
        const name = graphs[part]?.find((graph) => graph.ar === ar)?.name ?? '';
        return await opened[part]?.get(name)?.(inputs) as Record<string, Codes>;
      },
    });
  });
}
