/** Takes a toolchain through convert, compile and open in temporary folders, as the stages do. */
import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { type Encodings, encodeFloat16 } from '@tundish/graph';
import type { CellId, CompileResult, ConvertResult, Executable, GraphIo, IoTensor, ProducedFile, TensorData, Toolchain, ToolchainContext } from '../port.js';
import { encode } from './simulate.js';
import { tinyEncodings } from './tiny-encodings.js';
import { tinyModel } from './tiny-model.js';
import { type TinyWeights, WEIGHTS, tinyWeights } from './tiny-weights.js';

/** AR and CL of the graphs that a part is compiled from. */
export const SIZES: readonly Pick<CellId, 'ar' | 'cl'>[] = [{ ar: 1, cl: 16 }, { ar: 1, cl: 32 }, { ar: 4, cl: 16 }, { ar: 4, cl: 32 }];

export interface Variant {
  readonly quantized: boolean;
  readonly parts: 1 | 2;
}

export interface CompiledPart {
  readonly result: CompileResult;
  /** Absolute path of each file of the result. */
  readonly files: Map<string, string>;
}

export class Workbench {
  readonly weights: TinyWeights = tinyWeights();
  readonly encodings: Encodings = tinyEncodings(this.weights);
  readonly #compiled = new Map<string, Promise<CompiledPart>>();
  #root: Promise<string> | undefined;

  constructor(readonly toolchain: Toolchain) {}

  /** A new folder that lives until `dispose`. */
  async folder(): Promise<string> {
    this.#root ??= mkdtemp(join(tmpdir(), 'conformance-'));
    return mkdtemp(join(await this.#root, 'step-'));
  }

  async context(signal: ToolchainContext['signal'] = new AbortController().signal): Promise<ToolchainContext> {
    return { signal, reporter: silentReporter, scratch: await this.folder() };
  }

  async convert(cell: CellId, variant: Variant): Promise<ConvertResult> {
    const model = tinyModel({ ...cell, parts: variant.parts, quantized: variant.quantized }, this.weights);
    return this.toolchain.convert(await this.context(), { cell, model, ...(variant.quantized ? { encodings: this.encodings } : {}), options: {} });
  }

  /** Resolver of the weight file, written anew. */
  async weightFile(): Promise<(location: string) => string> {
    const folder = await this.folder();
    await writeFile(join(folder, WEIGHTS), this.weights.bytes);
    return (location) => join(folder, location);
  }

  /** Converts and compiles one part with graphs of the given sizes; nothing is remembered. */
  async compile(context: ToolchainContext, variant: Variant, part: number, sizes = SIZES, resolve?: (location: string) => string): Promise<CompileResult> {
    const graphs: { io: GraphIo; files: Map<string, string> }[] = [];
    for (const size of sizes) {
      const { io, files } = await this.convert({ ...size, part, parts: variant.parts }, variant);
      graphs.push({ io, files: await place(files, await this.folder(), this.weights) });
    }
    return this.toolchain.compile(context, { part, parts: variant.parts, graphs, resolve: resolve ?? (await this.weightFile()), options: {} });
  }

  /** The part compiled from all sizes, made once. */
  part(variant: Variant, part: number): Promise<CompiledPart> {
    const key = `${variant.quantized} ${variant.parts} ${part}`;
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const made = (async () => {
      const result = await this.compile(await this.context(), variant, part);
      return { result, files: await place(result.files, await this.folder(), this.weights) };
    })();
    this.#compiled.set(key, made);
    return made;
  }

  async open(variant: Variant, part: number, threads = 1): Promise<Executable> {
    const { result, files } = await this.part(variant, part);
    return this.toolchain.open({ graphs: result.graphs, files, threads });
  }

  async dispose(): Promise<void> {
    if (this.#root !== undefined) await rm(await this.#root, { recursive: true, force: true });
  }
}

/** Puts the files of a result into a folder, under names that have nothing to do with their own, as a store would. */
async function place(files: readonly ProducedFile[], folder: string, weights: TinyWeights): Promise<Map<string, string>> {
  const placed = new Map<string, string>();
  for (const [i, { name, content }] of files.entries()) {
    const path = join(folder, `${i % 16}`, `blob-${i}`);
    await mkdir(join(folder, `${i % 16}`), { recursive: true });
    await writeFile(path, await contentOf(content, weights));
    placed.set(name, path);
  }
  return placed;
}

export async function contentOf(content: ProducedFile['content'], weights: TinyWeights): Promise<Uint8Array> {
  if ('location' in content) return weights.bytes;
  return 'bytes' in content ? content.bytes : readFile(content.path);
}

/** Bytes of all files of a result. */
export async function totalBytes(files: readonly ProducedFile[], weights: TinyWeights): Promise<number> {
  let total = 0;
  for (const { content } of files) total += (await contentOf(content, weights)).byteLength;
  return total;
}

/** Names of everything below a folder. */
export function leftIn(folder: string): Promise<string[]> {
  return readdir(folder, { recursive: true });
}

/** Real values as the typed array that the table of a graph asks for. */
export function tensorData(table: IoTensor, values: ArrayLike<number>): TensorData {
  const { dtype, quantization } = table;
  if (dtype === 'int32') return Int32Array.from(values);
  if (dtype === 'float16') return Uint16Array.from(values, encodeFloat16);
  if (dtype === 'float32' || quantization === undefined) return Float32Array.from(values);
  const grid = { kind: 'per-tensor', dtype, ...quantization, symmetric: false } as const;
  const codes = Array.from(values, (value) => encode(value, grid));
  return dtype === 'uint8' ? Uint8Array.from(codes) : Uint16Array.from(codes);
}

