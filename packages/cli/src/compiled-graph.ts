/** One graph converted, compiled and opened by the model's toolchain, in a temporary folder. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import type { Encodings, Model } from '@tundish/graph';
import type { CompileResult, Executable, FileResolver, Toolchain } from '@tundish/toolchain';

export interface GraphRequest {
  readonly toolchain: Toolchain;
  /** Options of the recipe's compile stage. */
  readonly compileOptions: Readonly<Record<string, unknown>>;
  readonly model: Model;
  readonly ar: number;
  readonly cl: number;
  readonly encodings: Encodings | undefined;
  readonly resolve: FileResolver;
  readonly threads: number;
  readonly signal: AbortSignal;
}

/** `close` of the result removes the folder too. */
export async function openGraph({ toolchain, compileOptions, model, ar, cl, encodings, resolve, threads, signal }: GraphRequest): Promise<Executable> {
  const folder = await mkdtemp(join(tmpdir(), 'tundish-evaluate-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const context = { signal, reporter: silentReporter, scratch: await made(join(folder, 'scratch')) };
    const converted = await toolchain.convert(context, { cell: { ar, cl, part: 1, parts: 1 }, model, ...(encodings === undefined ? {} : { encodings }), options: {} });
    const files = await placeFiles(await made(join(folder, 'converted')), converted.files, resolve);
    const compiled = await toolchain.compile(context, { part: 1, parts: 1, graphs: [{ io: converted.io, files }], resolve, options: compileOptions });
    const executable = await toolchain.open({ graphs: compiled.graphs, files: await placeFiles(await made(join(folder, 'compiled')), compiled.files, resolve), threads });
    return { graphs: executable.graphs, prepare: (graph) => executable.prepare(graph), run: (...given) => executable.run(...given), close: () => executable.close().finally(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function placeFiles(folder: string, files: CompileResult['files'], resolve: FileResolver): Promise<Map<string, string>> {
  const placed = new Map<string, string>();
  for (const { name, content } of files) {
    const path = 'path' in content ? content.path : 'location' in content ? resolve(content.location) : join(folder, name);
    if ('bytes' in content) await writeFile(path, content.bytes);
    placed.set(name, path);
  }
  return placed;
}

async function made(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  return folder;
}
