/**
 * Walks a model block by block: weights of one block in, codes and scales out, the calibration text through the quantized
 * block. Only one block's weights and one window of the token stream are in memory.
 */
import { join } from 'node:path';
import { type Model, type ParameterEncoding, type PerTensorEncoding, cloneModel, usedOpsets } from '@tundish/graph';
import type { RangeOptions } from '@tundish/recipe/calibration';
import { floatWindows } from '@tundish/recipe/calibration-windows';
import { needsInputs, needsReference } from '@tundish/recipe/technique';
import { type BlockCache, type BlockFiles, type BlockInputs, activationsName, recordName, referenceName, uncached, weightsName } from './block-cache.js';
import { blockInputs } from './block-inputs.js';
import { type BlockRanges, type BlockResult, type BlockWeight, readBlockRecord, writeBlockRecord } from './block-record.js';
import { assignEncodings } from './calibration/assign.js';
import type { CacheDecision } from './calibration/cache-bits.js';
import { settleCaches } from './calibration/cache-encodings.js';
import { type Range, representedRange, requireFinite } from './calibration/encoding-rules.js';
import { type ObserveRequest, observeSegment } from './calibration/observe.js';
import { windowFeeds } from './calibration/windows.js';
import { BlockWorkspace } from './engine/block-workspace.js';
import { requireFoldable } from './engine/fold-smoothing.js';
import type { LayerReport } from './engine/solve-group.js';
import { FloatStack } from './float-stack.js';
import { requireCoverage } from './given/coverage.js';
import { givenFor } from './given/given-for.js';
import { quantizedKey, replaceParameters } from './graph-form.js';
import { LiveActivations, LiveActivationsWriter } from './live-activations.js';
import type { MeasuredLayer } from './mixed-precision/choose-layers.js';
import { raiseLayers } from './mixed-precision/raise-layers.js';
import { findParameters } from './parameters.js';
import type { Calibration, QuantizeRequest, QuantizeResult } from './quantize-request.js';
import { type SolvedSegment, solveSegment } from './solve-segment.js';
import { quantizeParameter } from './quantize-parameter.js';
import type { QuantizedWeight } from './quantized-weight.js';
import { type Segment, segmentAt, segmentCount } from './segments.js';
import { WeightFile } from './weight-file.js';
import { requireLayers } from './weight-scheme.js';
import { TensorFiles, vectorSource } from './weight-source.js';
import { ZERO_POINTS, writeZeroPoints, zeroPointRange } from './zero-points.js';

const DEFAULT_RANGES: RangeOptions = { observer: { method: 'minmax' }, cache: { bits: 8, granularity: 'tensor' } };
const NOTHING_SEEN: BlockRanges = { ranges: {}, caches: {} };

/**
 * Quantizes weights, then, with a calibration, measures activations with the quantized weights in place (as AIMET does after its techniques).
 *
 * A block that the cache has is read, not made; both ways give the same bytes.
 *
 * @throws QUANTIZE_NOT_FINITE, QUANTIZE_BLOCK_SIZE, QUANTIZE_RANGE_NOT_FINITE, QUANTIZE_SMOOTHING, QUANTIZE_UNKNOWN_LAYER, QUANTIZE_SOURCE_COVERAGE
 */
export async function quantizeModel(request: QuantizeRequest): Promise<QuantizeResult> {
  requireCoverage(request);
  const { weights: { technique, schemes, mixedPrecision }, plan } = request;
  if (technique.smoothing.method !== 'none') requireFoldable(findParameters(request.model.graph));
  requireLayers(request.model.graph, schemes);
  const count = segmentCount(plan);
  if (mixedPrecision === undefined) return (await walk(request, 'quantize', count)).finish();
  const { request: mixed, raised } = await raiseLayers(request, mixedPrecision, async (first) => (await walk(first, 'measure', count - 1)).measured);
  return { ...(await (await walk(mixed, 'quantize', count)).finish()), raised };
}

/** The first `count` segments. */
async function walk(request: QuantizeRequest, work: string, count: number): Promise<Walk> {
  const state = new Walk(request);
  const report = (done: number): void => request.reporter.progress({ work, label: 'blocks', done, total: count, bytes: { done: state.bytesRead } });
  report(0);
  try {
    for (let index = 0; index < count; index++) {
      request.signal.throwIfAborted();
      await state.segment(segmentAt(request.calibration?.model ?? request.model, request.plan, index));
      report(index + 1);
    }
  } finally {
    state.close();
  }
  return state;
}

/** What is carried from one segment to the next. */
class Walk {
  readonly #blocks: BlockCache;
  readonly #quantized = new Map<string, QuantizedWeight>();
  readonly #parameters = new Map<string, ParameterEncoding>();
  readonly #fixed = new Map<string, PerTensorEncoding>();
  readonly #ranges = new Map<string, Range>();
  readonly #layers: LayerReport[] = [];
  readonly #caches = new Map<string, PerTensorEncoding>();
  readonly #cacheDecisions = new Map<string, CacheDecision>();
  readonly #files = new Map<string, string>();
  /** Of the segment before: its name and its files. */
  #before: { readonly name: string; readonly files: BlockFiles } | undefined;
  #bytesRead = 0;
  #workspace: BlockWorkspace | undefined;
  /** Of the rows at hand, in every segment. */
  readonly #rows = new FloatStack();

  constructor(private readonly request: QuantizeRequest) {
    this.#blocks = request.blocks ?? uncached(request.folder);
  }

  /** Bytes of the checkpoint's weights that were quantized so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** The layers that were solved, in graph order. */
  get measured(): readonly MeasuredLayer[] {
    return this.#layers.map(({ name, sensitivity }) => {
      const weight = this.#quantized.get(`projection:${name}`);
      const [rows = 0, columns = 0] = weight === undefined || weight.kind === 'float' ? [] : weight.codes.dims;
      return { name, rows, columns, ...(sensitivity === undefined ? {} : { sensitivity }) };
    });
  }

  async segment(segment: Segment): Promise<void> {
    const files = await this.#blocks.block(segment.name, () => this.#inputs(segment), (folder) => this.#make(segment, folder));
    const { weights, fixed, ranges, layers, caches, cacheDecision } = await readBlockRecord(segment.name, files);
    for (const { key, name, weight } of weights) {
      this.#quantized.set(key, weight);
      if (weight.kind !== 'float') this.#parameters.set(name, weight.encoding);
    }
    for (const [name, encoding] of Object.entries(fixed)) this.#fixed.set(name, encoding);
    for (const [name, range] of Object.entries(ranges)) this.#ranges.set(name, range);
    for (const [name, encoding] of Object.entries(caches)) this.#caches.set(name, encoding);
    if (cacheDecision !== undefined) this.#cacheDecisions.set(segment.name, cacheDecision);
    this.#layers.push(...layers);
    for (const { name, warnings } of layers) for (const warning of warnings) this.request.reporter.warn(`${name}: ${warning}`);
    this.#files.set(weightsName(segment.name), await files.path(weightsName(segment.name)));
    this.#before = { name: segment.name, files };
  }

  /** No block is solved any more. */
  close(): void {
    this.#workspace?.remove();
    this.#workspace = undefined;
  }

  async finish(): Promise<QuantizeResult> {
    const { calibration, given, folder, activations: measured } = this.request;
    await writeZeroPoints(folder, this.#quantized.values());
    this.#files.set(ZERO_POINTS, join(folder, ZERO_POINTS));
    const quantized = cloneModel(this.request.model);
    replaceParameters(quantized.graph, this.#quantized);
    // Rotations were part of the expressions that are gone.
    const model = { ...quantized, opsetImports: usedOpsets(quantized) };
    const weightsOnly = { model, encodings: { activations: new Map<string, PerTensorEncoding>(), parameters: this.#parameters }, files: this.#files, layers: this.#layers, caches: this.#cacheDecisions };
    const attentionScaling = given?.attentionScaling ?? calibration?.inputs.attentionScaling;
    if (attentionScaling === undefined || !measured) return weightsOnly;
    // Rules look at ranges: those that a grid holds, where the grid is given.
    const ranges = new Map([...this.#ranges, ...[...(given?.model.activations ?? [])].map(([name, encoding]) => [name, representedRange(encoding)] as const)]);
    const { activations, maskValue } = assignEncodings({ graph: model.graph, ranges, caches: this.#caches, attentionScaling, fixed: this.#fixed, ...(given === undefined ? {} : { given: given.model.activations }) });
    return { ...weightsOnly, encodings: { activations, parameters: this.#parameters }, maskValue };
  }

  #inputs(segment: Segment): BlockInputs {
    const { weights, resolve, calibration, given, activations, ranges = DEFAULT_RANGES, signal } = this.request;
    const isHead = segment.output === 'logits';
    // The head is quantized from its weights alone: tokens enter it where activations are measured.
    const read = isHead && !activations ? undefined : calibration;
    const before = read === undefined ? undefined : this.#before;
    return blockInputs({
      segment, weights, resolve, signal, streams: this.#streams(segment),
      ...(activations ? { ranges } : {}),
      ...(read === undefined ? {} : { calibration: read.inputs }),
      ...(given === undefined ? {} : { given: given.digests }),
      ...(before === undefined ? {} : { activations: before.files.sha256(activationsName(before.name)) }),
      ...(before === undefined || isHead || !needsReference(weights.technique) ? {} : { reference: before.files.sha256(referenceName(before.name)) }),
    });
  }

  async #make(segment: Segment, folder: string): Promise<readonly string[]> {
    const { calibration, activations, weights: { technique } } = this.request;
    const isBlock = segment.input !== undefined && segment.output !== 'logits';
    const solved = isBlock && calibration !== undefined && needsInputs(technique) ? await this.#solve(segment, folder, calibration) : undefined;
    // What measures activations, and the head, need as much.
    if (activations || !isBlock) this.#workspace?.clear();
    const { weights, fixed } = await this.#quantizeWeights(segment, join(folder, weightsName(segment.name)), solved);
    const streams = this.#streams(segment);
    const isObserved = calibration !== undefined && (activations || (solved === undefined && streams.length > 0));
    const seen = isObserved ? await this.#observe(segment, weights, folder, calibration, solved === undefined) : NOTHING_SEEN;
    if (calibration !== undefined && segment.input === undefined && needsReference(technique)) await this.#observe(segment, undefined, folder, calibration, true);
    await writeBlockRecord(join(folder, recordName(segment.name)), { weights, fixed, ...(activations ? seen : NOTHING_SEEN), layers: [...(solved?.layers.values() ?? [])].map(({ report }) => report) });
    return [weightsName(segment.name), recordName(segment.name), ...streams];
  }

  /** Names of the streams that a segment leaves: those that the next one reads, or its own refinement. */
  #streams({ name, output, entersHead }: Segment): readonly string[] {
    const { calibration, activations, weights: { technique } } = this.request;
    if (calibration === undefined || output === 'logits') return [];
    const quantized = activations || !entersHead;
    const reference = needsReference(technique) && (!entersHead || technique.refine.method !== 'none');
    return [...(quantized ? [activationsName(name)] : []), ...(reference ? [referenceName(name)] : [])];
  }

  /** Codes of the projections, from the inputs that the calibration text gives them, and what was folded into other parameters. */
  async #solve(segment: Segment, folder: string, calibration: Calibration): Promise<SolvedSegment> {
    const { weights, resolve, kernels, threads, signal } = this.request;
    const before = this.#before as { readonly name: string; readonly files: BlockFiles };
    this.#workspace ??= new BlockWorkspace(this.request.folder);
    return solveSegment({
      segment, weights, resolve, kernels, threads, signal, folder, streams: this.#streams(segment), workspace: this.#workspace, inputs: calibration.inputs,
      quantized: await before.files.path(activationsName(before.name)),
      ...(needsReference(weights.technique) ? { reference: await before.files.path(referenceName(before.name)) } : {}),
      onBytes: (bytes) => { this.#bytesRead += bytes; },
    });
  }

  async #quantizeWeights(segment: Segment, path: string, solved: SolvedSegment | undefined): Promise<Pick<BlockResult, 'weights' | 'fixed'>> {
    const { kernels } = this.request;
    const given = this.request.given?.model;
    const files = new TensorFiles(this.request.resolve);
    const stored = new TensorFiles((location) => given?.resolve(location) ?? location);
    const file = await WeightFile.create(weightsName(segment.name), path);
    const weights: BlockWeight[] = [];
    const fixed: Record<string, PerTensorEncoding> = {};
    const head = segment.output === 'logits';
    try {
      for (const parameter of findParameters(segment.model.graph)) {
        this.request.signal.throwIfAborted();
        const layer = parameter.role === 'projection' ? solved?.layers.get(parameter.name) : undefined;
        const folded = parameter.role === 'projection' ? undefined : solved?.folded.get(parameter.name);
        const weight = await quantizeParameter({
          kernels, options: this.request.weights, parameter, head, files, file, stack: this.#rows, zeroPoints: zeroPointRange,
          ...(layer === undefined ? {} : { solved: layer }), ...(folded === undefined ? {} : { source: vectorSource(parameter.name, folded) }), ...givenFor(given, quantizedKey(parameter), stored, { kernels, stack: this.#rows }),
        });
        weights.push({ key: quantizedKey(parameter), name: parameter.role === 'projection' && head ? 'lm_head.weight' : parameter.name, weight });
        if (parameter.role === 'embedding' && weight.kind === 'per-tensor') for (const node of parameter.consumers) fixed[node.output().name] = weight.encoding;
      }
    } finally {
      this.#bytesRead += files.bytesRead + stored.bytesRead;
      files.close();
      stored.close();
      await file.close();
    }
    return { weights, fixed };
  }

  /**
   * Runs the calibration text through the segment with its quantized weights (without any: as the float model, the windows that
   * it runs on) and, when `writes`, puts the stream that leaves into a file.
   */
  async #observe(segment: Segment, weights: readonly BlockWeight[] | undefined, folder: string, calibration: Calibration, writes: boolean): Promise<BlockRanges> {
    const { inputs } = calibration;
    const { observer, cache } = this.request.activations && weights !== undefined ? (this.request.ranges ?? DEFAULT_RANGES) : DEFAULT_RANGES;
    const model = weights === undefined ? segment.model : cloneModel(segment.model);
    await writeZeroPoints(folder, (weights ?? []).map(({ weight }) => weight));
    if (weights !== undefined) replaceParameters(model.graph, new Map(weights.map(({ key, weight }) => [key, weight])));
    const stream = this.#before === undefined ? undefined : new LiveActivations(await this.#before.files.path(activationsName(this.#before.name)), inputs.windows.length);
    const next = writes && segment.output !== 'logits' ? new LiveActivationsWriter(join(folder, (weights === undefined ? referenceName : activationsName)(segment.name))) : undefined;
    try {
      const few = weights === undefined ? floatWindows(this.request.weights.technique, inputs.windows.length) : undefined;
      const observation = {
        ...this.#observation(segment, model, weights ?? [], folder, calibration), windows: few?.length ?? inputs.windows.length,
        feeds: (at: number) => {
          const index = few?.[at] ?? at;
          return windowFeeds(inputs, segment, index, stream?.window(index));
        },
      };
      const { ranges, caches } = await observeSegment({
        ...observation, observer, cacheGranularity: cache.granularity,
        ...(next === undefined ? {} : { output: segment.output, onOutput: (data: Float32Array) => next.append(data) }),
      });
      for (const [name, range] of ranges) requireFinite(name, range);
      return { ranges: Object.fromEntries(ranges), ...(await settleCaches(observation, caches, cache.bits)) };
    } finally {
      stream?.close();
      next?.close();
    }
  }

  #observation(segment: Segment, model: Model, weights: readonly BlockWeight[], folder: string, { executor }: Calibration): Omit<ObserveRequest, 'feeds' | 'windows' | 'observer' | 'cacheGranularity'> {
    const { resolve, threads, signal, reporter } = this.request;
    const own = new Set([weightsName(segment.name), ZERO_POINTS]);
    return {
      segment: model,
      executor,
      parameters: new Map(weights.flatMap(({ name, weight }) => (weight.kind === 'float' ? [] : [[name, weight.encoding]]))),
      resolve: (location) => (own.has(location) ? join(folder, location) : resolve(location)),
      threads,
      signal,
      reporter,
    };
  }
}
