/**
 * Walks a quantized graph beside its floating-point one, block after block: the weights of one block and the residual
 * streams of the windows are in memory, never a whole model.
 */
import { readFile } from 'node:fs/promises';
import type { Adaptation } from '@tundish/architectures';
import { type BlockErrors, type BlockRow, Sqnr } from '@tundish/evaluate';
import type { Model } from '@tundish/graph';
import { causalMask } from '@tundish/quantize';
import { ACTIVATIONS_FILE, ADAPTATION_FILE, MODEL_FILE, type ModelFacts, type StageInput, readEncodings, readGraph, ropeTables } from '@tundish/stages';
import type { ReferenceExecutor, Toolchain } from '@tundish/toolchain';
import { convertArCl } from '@tundish/transform';
import { type BlockCut, blockCuts, cutModel } from './block-cuts.js';
import { type OpenedSegment, openEncodedSegment, openFloatSegment } from './opened-segment.js';

export interface BlockRequest {
  /** The floating-point graph. */
  readonly load: StageInput;
  /** The graph that is held against it, with codes and encodings when it has them. */
  readonly measured: StageInput;
  /** Token ids, at least one window, all of equal length. */
  readonly windows: readonly Int32Array[];
  /** Runs floating-point activations. */
  readonly executor: ReferenceExecutor;
  /** Runs quantized activations, compiled with these options. */
  readonly toolchain: Toolchain;
  readonly compileOptions: Readonly<Record<string, unknown>>;
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly onBlock?: (done: number, total: number) => void;
}

/**
 * SQNR of the embedding, each decoder block and the logits, over all positions of all windows. Artifacts of a row: `weights`
 * (floating-point activations) and, when activations have encodings, `full`; `float` for a build without quantization.
 */
export async function measureBlocks(request: BlockRequest): Promise<BlockRow[]> {
  const walk = await prepare(request);
  let streams: readonly Streams[] = request.windows.map(() => new Map());
  const rows: BlockRow[] = [];
  for (const cut of walk.cuts) {
    request.onBlock?.(rows.length, walk.cuts.length);
    const { row, next } = await measureBlock(walk, cut, streams);
    rows.push(row);
    streams = next;
  }
  request.onBlock?.(rows.length, walk.cuts.length);
  return rows;
}

type Values = ReadonlyMap<string, Float32Array | Int32Array>;

/** Outputs of a block by name. */
type Results = ReadonlyMap<string, Float32Array>;

/** The residual stream of one window, of the floating-point graph and of each artifact. */
type Streams = ReadonlyMap<string, Float32Array>;

interface Walk extends BlockRequest {
  /** Both graphs at AR = window length, CL = AR + 1: one masked position of cache, as in calibration. */
  readonly models: { readonly load: Model; readonly measured: Model };
  readonly tokens: number;
  readonly cuts: readonly BlockCut[];
  /** Mask and rope tables. */
  readonly constants: Values;
}

async function prepare(request: BlockRequest): Promise<Walk> {
  const adaptation = JSON.parse(await readFile(request.load.path(ADAPTATION_FILE), 'utf8')) as Adaptation;
  const { rope } = JSON.parse(await readFile(request.load.path(MODEL_FILE), 'utf8')) as ModelFacts;
  const tokens = request.windows[0]?.length ?? 0;
  const sized = async (stage: StageInput): Promise<Model> => convertArCl(await readGraph(stage), adaptation.base, { ar: tokens, cl: tokens + 1 });
  const { cos, sin } = ropeTables(rope, 0, tokens);
  const constants = new Map([['attention_mask', causalMask(tokens)], ['position_ids_cos', cos], ['position_ids_sin', sin]]);
  return { ...request, models: { load: await sized(request.load), measured: await sized(request.measured) }, tokens, cuts: blockCuts(adaptation), constants };
}

const REFERENCE = 'reference';

async function measureBlock(walk: Walk, cut: BlockCut, streams: readonly Streams[]): Promise<{ row: BlockRow; next: Streams[] }> {
  const opened: OpenedSegment[] = [];
  try {
    const reference = await openReference(walk, cut);
    opened.push(reference);
    const artifacts = new Map<string, Artifact>();
    for (const [name, open] of openers(walk, cut)) {
      const segment = await open();
      opened.push(segment);
      artifacts.set(name, { segment, stream: new Sqnr(), own: new Sqnr(), key: new Sqnr(), value: new Sqnr() });
    }
    const next: Streams[] = [];
    for (const [i, stream] of streams.entries()) {
      walk.signal.throwIfAborted();
      const values = new Map([...walk.constants, ['input_ids', walk.windows[i] as Int32Array]]);
      const left = await measureWindow({ cut, reference, artifacts }, values, stream);
      if (cut !== walk.cuts.at(-1)) next.push(left);
    }
    return { row: { block: cut.block, artifacts: Object.fromEntries([...artifacts].map(([name, artifact]) => [name, errorsOf(artifact, cut)])) }, next };
  } finally {
    for (const segment of opened) await segment.close();
  }
}

function openReference({ models, load, executor, threads }: Walk, cut: BlockCut): Promise<OpenedSegment> {
  return openFloatSegment({ executor, model: cutModel(models.load, cut), resolve: (location) => load.resolve(location), threads });
}

/** The block in every form that the build has. */
function openers(walk: Walk, cut: BlockCut): [string, () => Promise<OpenedSegment>][] {
  const { measured, tokens, executor, toolchain, compileOptions, threads, signal } = walk;
  const model = cutModel(walk.models.measured, cut);
  const resolve = (location: string): string => measured.resolve(location);
  const float = (): Promise<OpenedSegment> => openFloatSegment({ executor, model, resolve, threads });
  const weights = async (): Promise<OpenedSegment> => openFloatSegment({ executor, model, resolve, threads, parameters: (await readEncodings(model, measured))?.parameters ?? new Map() });
  const full = async (): Promise<OpenedSegment> => openEncodedSegment({ toolchain, compileOptions, model, ar: tokens, cl: tokens + 1, encodings: await readEncodings(model, measured), resolve, threads, signal });
  // Stages before quantize say nothing of precision.
  if ((measured.manifest.facts['precision'] ?? 'float') === 'float') return [['float', float]];
  return measured.manifest.outputs.some(({ name }) => name === ACTIVATIONS_FILE) ? [['weights', weights], ['full', full]] : [['weights', weights]];
}

/** One form of a block, and what was measured of it so far. */
interface Artifact extends Readonly<Record<keyof BlockErrors, Sqnr>> {
  readonly segment: OpenedSegment;
}

interface Opened {
  readonly cut: BlockCut;
  readonly reference: OpenedSegment;
  readonly artifacts: ReadonlyMap<string, Artifact>;
}

/** @returns the streams that leave the block */
async function measureWindow({ cut, reference, artifacts }: Opened, constants: Values, streams: Streams): Promise<Streams> {
  const { input, output, cache } = cut;
  const run = (segment: OpenedSegment, stream: Float32Array | undefined): Promise<Results> => segment.run(input === undefined || stream === undefined ? constants : new Map([...constants, [input, stream]]));
  const floatStream = streams.get(REFERENCE);
  const real = await run(reference, floatStream);
  const left = new Map([[REFERENCE, real.get(output) as Float32Array]]);
  for (const [name, artifact] of artifacts) {
    const found = await run(artifact.segment, streams.get(name));
    compare(artifact.stream, output, real, found);
    if (cache !== undefined) compare(artifact.key, cache.key, real, found);
    if (cache !== undefined) compare(artifact.value, cache.value, real, found);
    // The input's range was measured behind quantized blocks and may not hold the float stream: both get what the grid holds.
    const entering = input === undefined || floatStream === undefined ? undefined : artifact.segment.entering(input, floatStream);
    const expected = entering === floatStream ? real : await run(reference, entering);
    compare(artifact.own, output, expected, entering === undefined ? found : await run(artifact.segment, entering));
    left.set(name, found.get(output) as Float32Array);
  }
  return left;
}

function compare(meter: Sqnr, value: string, reference: Results, found: Results): void {
  meter.add(reference.get(value) as Float32Array, found.get(value) as Float32Array);
}

function errorsOf({ stream, own, key, value }: Artifact, { cache }: BlockCut): BlockErrors {
  const errors = { stream: stream.decibels, own: own.decibels };
  return cache === undefined ? errors : { ...errors, key: key.decibels, value: value.decibels };
}
