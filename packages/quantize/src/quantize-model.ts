/**
 * Walks a model block by block: weights of one block in, codes and scales out, then the calibration text through the
 * quantized block. Only one block's weights and one token stream are in memory.
 */
import { join } from 'node:path';
import type { Reporter } from '@tundish/diagnostics';
import { type Encodings, type Model, type ParameterEncoding, type PerTensorEncoding, cloneModel } from '@tundish/graph';
import type { Kernels } from '@tundish/native';
import type { FileResolver, ReferenceExecutor } from '@tundish/toolchain';
import { assignEncodings } from './calibration/assign.js';
import type { Range } from './calibration/encoding-rules.js';
import { observeSegment } from './calibration/observe.js';
import { type CalibrationInputs, windowFeeds } from './calibration/windows.js';
import { quantizedKey, replaceParameters } from './graph-form.js';
import { findParameters } from './parameters.js';
import { type WeightOptions, quantizeParameter } from './quantize-parameter.js';
import type { QuantizedWeight } from './quantized-weight.js';
import { type Segment, type SegmentPlan, segmentAt, segmentCount } from './segments.js';
import { WeightFile } from './weight-file.js';
import { TensorFiles } from './weight-source.js';
import { ZERO_POINTS, writeZeroPoints, zeroPointRange } from './zero-points.js';

export interface QuantizeRequest {
  /** The adapted graph at any AR and CL; its quantized twin is the result. */
  readonly model: Model;
  readonly plan: SegmentPlan;
  readonly weights: WeightOptions;
  readonly kernels: Kernels;
  /** Absent when only weights are quantized: activations and the cache then stay in floating point. */
  readonly calibration?: Calibration;
  /** Resolves the files of `model`. */
  readonly resolve: FileResolver;
  /** Existing folder that receives the weight files. */
  readonly folder: string;
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
}

/** How activation ranges are measured. */
export interface Calibration {
  /** The adapted graph at AR = window length, CL = AR + 1 (one masked past position). */
  readonly model: Model;
  readonly inputs: CalibrationInputs;
  readonly executor: ReferenceExecutor;
}

export interface QuantizeResult {
  readonly model: Model;
  /** Without activations when only weights were quantized. */
  readonly encodings: Encodings;
  /** Weight files by location, in graph order. */
  readonly files: ReadonlyMap<string, string>;
  /** Additive value of masked positions that the encodings of activations are made for. */
  readonly maskValue?: number;
}

/**
 * Quantizes weights, then, with a calibration, measures activations with the quantized weights in place (as AIMET does after its techniques).
 *
 * @throws QUANTIZE_NOT_FINITE, QUANTIZE_BLOCK_SIZE, QUANTIZE_RANGE_NOT_FINITE
 */
export async function quantizeModel(request: QuantizeRequest): Promise<QuantizeResult> {
  const state = new Walk(request);
  const count = segmentCount(request.plan);
  const report = (done: number): void => request.reporter.progress({ work: 'quantize', label: 'blocks', done, total: count, bytes: { done: state.bytesRead } });
  report(0);
  for (let index = 0; index < count; index++) {
    request.signal.throwIfAborted();
    await state.segment(segmentAt(request.calibration?.model ?? request.model, request.plan, index));
    report(index + 1);
  }
  return state.finish();
}

/** What is carried from one segment to the next. */
class Walk {
  readonly #quantized = new Map<string, QuantizedWeight>();
  readonly #parameters = new Map<string, ParameterEncoding>();
  readonly #fixed = new Map<string, PerTensorEncoding>();
  readonly #ranges = new Map<string, Range>();
  readonly #files = new Map<string, string>();
  #stream: Float32Array[] = [];
  #bytesRead = 0;

  constructor(private readonly request: QuantizeRequest) {}

  /** Bytes of the checkpoint's weights that were read so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  async segment(segment: Segment): Promise<void> {
    const weights = await this.#quantizeWeights(segment);
    for (const [key, weight] of weights) this.#quantized.set(key, weight);
    await writeZeroPoints(this.request.folder, this.#quantized);
    this.#files.set(ZERO_POINTS, join(this.request.folder, ZERO_POINTS));
    if (this.request.calibration === undefined) return;
    replaceParameters(segment.model.graph, weights);
    await this.#observe(segment, this.request.calibration);
  }

  async finish(): Promise<QuantizeResult> {
    const model = cloneModel(this.request.model);
    replaceParameters(model.graph, this.#quantized);
    const weightsOnly = { model, encodings: { activations: new Map<string, PerTensorEncoding>(), parameters: this.#parameters }, files: this.#files };
    if (this.request.calibration === undefined) return weightsOnly;
    const { attentionScaling } = this.request.calibration.inputs;
    const { activations, maskValue } = assignEncodings({ graph: model.graph, ranges: this.#ranges, attentionScaling, fixed: this.#fixed });
    return { ...weightsOnly, encodings: { activations, parameters: this.#parameters }, maskValue };
  }

  async #quantizeWeights(segment: Segment): Promise<Map<string, QuantizedWeight>> {
    const location = `${segment.name}.weights`;
    const path = join(this.request.folder, location);
    const files = new TensorFiles(this.request.resolve);
    const file = await WeightFile.create(location, path);
    const weights = new Map<string, QuantizedWeight>();
    try {
      for (const parameter of findParameters(segment.model.graph)) {
        this.request.signal.throwIfAborted();
        const weight = await quantizeParameter({ kernels: this.request.kernels, options: this.request.weights, parameter, head: segment.output === 'logits', files, file, zeroPoints: zeroPointRange });
        weights.set(quantizedKey(parameter), weight);
        if (weight.kind !== 'float') this.#parameters.set(parameter.role === 'projection' && segment.output === 'logits' ? 'lm_head.weight' : parameter.name, weight.encoding);
        if (parameter.role === 'embedding' && weight.kind === 'per-tensor') for (const node of parameter.consumers) this.#fixed.set(node.output().name, weight.encoding);
      }
    } finally {
      this.#bytesRead += files.bytesRead;
      files.close();
      await file.close();
    }
    this.#files.set(location, path);
    return weights;
  }

  async #observe(segment: Segment, { inputs, executor }: Calibration): Promise<void> {
    const { resolve, threads, signal, reporter } = this.request;
    const next: Float32Array[] = [];
    const last = segment.output === 'logits';
    const ranges = await observeSegment({
      segment: segment.model,
      executor,
      parameters: this.#parameters,
      resolve: (location) => this.#files.get(location) ?? resolve(location),
      threads,
      windows: inputs.windows.length,
      feeds: (index) => windowFeeds(inputs, segment, index, this.#stream[index]),
      ...(last ? {} : { output: segment.output, onOutput: (index: number, data: Float32Array) => void (next[index] = data) }),
      signal,
      reporter,
    });
    for (const [name, range] of ranges) this.#ranges.set(name, range);
    this.#stream = next;
  }
}
