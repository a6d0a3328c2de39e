/** What the walk over a model is asked for, and what it gives. */
import type { Reporter } from '@tundish/diagnostics';
import type { Encodings, Model } from '@tundish/graph';
import type { Kernels } from '@tundish/native';
import type { RangeOptions } from '@tundish/recipe/calibration';
import type { FileResolver, ReferenceExecutor } from '@tundish/toolchain';
import type { BlockCache } from './block-cache.js';
import type { CacheDecision } from './calibration/cache-bits.js';
import type { CalibrationInputs } from './calibration/windows.js';
import type { LayerReport } from './engine/solve-group.js';
import type { GivenModel } from './given/given-model.js';
import type { RaisedLayer } from './mixed-precision/choose-layers.js';
import type { WeightOptions } from './quantize-parameter.js';
import type { SegmentPlan } from './segments.js';

export interface QuantizeRequest {
  /** The adapted graph at any AR and CL; its quantized twin is the result. */
  readonly model: Model;
  readonly plan: SegmentPlan;
  readonly weights: WeightOptions;
  readonly kernels: Kernels;
  /** Absent where neither techniques nor ranges need text. */
  readonly calibration?: Calibration;
  /** Scales that were made elsewhere: each takes the place of what a technique or the text would give. */
  readonly given?: GivenScales;
  /** Whether activations and the cache are quantized too, which needs a calibration or given scales; else they stay in floating point. */
  readonly activations: boolean;
  /** How their ranges and the cache's are chosen; minimum and maximum, and 8 bits, when absent. */
  readonly ranges?: RangeOptions;
  /** Resolves the files of `model`. */
  readonly resolve: FileResolver;
  /** Existing folder that receives the files that belong to no block; those of blocks too, when there is no cache. */
  readonly folder: string;
  /** Keeps the result of each block, so that a walk that ended early goes on where it stopped. */
  readonly blocks?: BlockCache;
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
}

export interface GivenScales {
  readonly model: GivenModel;
  /** sha256 of all that it was read from, by name. */
  readonly digests: Readonly<Record<string, string>>;
  /** Factor on cos and sin (yarn). */
  readonly attentionScaling: number;
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
  /** What techniques did to each layer, in graph order; empty where scales are minimum and maximum. */
  readonly layers: readonly LayerReport[];
  /** Bits of the cache by block, in graph order, where they were decided from data. */
  readonly caches: ReadonlyMap<string, CacheDecision>;
  /** The layers that got more bits because data ask for it; absent where that was not asked for. */
  readonly raised?: readonly RaisedLayer[];
}
