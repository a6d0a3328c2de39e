/** Small graphs and folders for the tests of the host. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { type Encodings, Graph, type Model, type PerTensorEncoding, inferShapes } from '@tundish/graph';
import type { CompileResult, ProducedFile, ToolchainContext } from '@tundish/toolchain';
import { afterAll } from 'vitest';
import { type HostOptions, hostToolchain } from '../src/index.js';

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'host-'));
  folders.push(folder);
  return folder;
}

/** A model around what `build` adds to an empty graph, with all types and shapes known. */
export function modelOf(build: (graph: Graph) => void): Model {
  const graph = new Graph('small');
  build(graph);
  const model: Model = { irVersion: 11, opsetImports: new Map([['', 23]]), producerName: 'test', metadata: new Map(), graph };
  inferShapes(model);
  return model;
}

export function context(): ToolchainContext {
  return { signal: new AbortController().signal, reporter: silentReporter, scratch: temporaryFolder() };
}

export const uint16 = (scale: number, zeroPoint = 32768): PerTensorEncoding => ({ kind: 'per-tensor', dtype: 'uint16', scale: Math.fround(scale), zeroPoint, symmetric: false });

/** Ties go to the even integer. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor & 1) : Math.floor(x + 0.5);
}

export function encodingsOf(activations: Record<string, PerTensorEncoding>, parameters: Encodings['parameters'] = new Map()): Encodings {
  return { activations: new Map(Object.entries(activations)), parameters };
}

/** Files of a result on disk, by name. */
export function placed(files: readonly ProducedFile[], resolve: (location: string) => string = (location) => location): Map<string, string> {
  const folder = temporaryFolder();
  return new Map(
    files.map(({ name, content }) => {
      if ('path' in content) return [name, content.path];
      if ('location' in content) return [name, resolve(content.location)];
      const path = join(folder, name);
      writeFileSync(path, content.bytes);
      return [name, path];
    }),
  );
}

/** Converts and compiles models as the graphs of one part, with CL 1, 2, …; with standard operators unless told otherwise. */
export async function compileModels(models: readonly Model[], encodings: Encodings | undefined, resolve: (location: string) => string, { operators = 'standard', ...options }: HostOptions & Readonly<Record<string, unknown>> = {}): Promise<CompileResult> {
  const host = hostToolchain({ operators });
  const graphs: { io: CompileResult['graphs'][number]; files: Map<string, string> }[] = [];
  for (const [i, model] of models.entries()) {
    const cell = { ar: 1, cl: i + 1, part: 1, parts: 1 };
    const { io, files } = await host.convert(context(), { cell, model, ...(encodings === undefined ? {} : { encodings }), options: {} });
    graphs.push({ io, files: placed(files) });
  }
  return host.compile(context(), { part: 1, parts: 1, graphs, resolve, options });
}

/** Uniform numbers in [0,1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}
