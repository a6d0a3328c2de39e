/** genie_config.json: the dialog configuration of the vendor's runtime, which checks it against a strict schema. */
import { containerError } from './errors.js';
import type { GenerationDefaults } from './manifest.js';

/** Rope scaling as the checkpoint's config.json states it. */
export type RopeScaling =
  | { readonly type: 'default' }
  | { readonly type: 'linear'; readonly factor: number }
  | { readonly type: 'llama3'; readonly factor: number; readonly lowFrequencyFactor: number; readonly highFrequencyFactor: number; readonly originalContextLength: number }
  | { readonly type: 'longrope'; readonly factor: number; readonly shortFactor: readonly number[]; readonly longFactor: readonly number[]; readonly originalContextLength: number }
  | { readonly type: 'yarn' };

/** How the engine runs on the device. */
export interface GenieEngine {
  /** 0 leaves the number to the runtime. */
  readonly threads: number;
  readonly useMmap: boolean;
  /** MiB that are mapped at a time; 0 maps a file as a whole. */
  readonly mmapBudgetMb: number;
  /** Bytes for what does not fit into the processor's memory; 0 leaves the size to the runtime. */
  readonly spillFillBytes: number;
  /** Waits for the processor by polling. */
  readonly poll: boolean;
  /** Processor cores of the waiting threads, as a hexadecimal mask. */
  readonly cpuMask: string;
  readonly allowAsyncInit: boolean;
}

export const GENIE_ENGINE: GenieEngine = { threads: 3, useMmap: true, mmapBudgetMb: 0, spillFillBytes: 0, poll: true, cpuMask: '0xe0', allowAsyncInit: false };

export interface GenieFacts {
  /** Largest context length of the bundle: a larger `context.size` is refused by the runtime. */
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly headDim: number;
  readonly tokens: { readonly bos: number | null; readonly eos: readonly number[]; readonly pad: number | null };
  readonly rope: { readonly theta: number; readonly rotaryDim: number; readonly scaling: RopeScaling };
  readonly generation: GenerationDefaults;
  readonly seed: number;
  /** Compiled parts in the order of execution, paths relative to the configuration. */
  readonly contextBinaries: readonly string[];
  readonly tokenizer: string;
  /** Backend extensions file of a device build. */
  readonly extensions?: string;
  /** Text before which an answer ends. */
  readonly stopSequences?: readonly string[];
  /** Default: `GENIE_ENGINE`. */
  readonly engine?: GenieEngine;
}

/** Why the format cannot express this model; undefined when it can. A host build may then leave the file out. */
export function genieObstacle(facts: GenieFacts): string | undefined {
  const { scaling, rotaryDim } = facts.rope;
  if (scaling.type === 'yarn') return 'the format knows no yarn rope scaling';
  if (facts.tokens.bos === null) return 'the format requires a bos token and the checkpoint has none';
  if (facts.tokens.eos.length === 0) return 'the format requires an eos token and the checkpoint has none';
  if (scaling.type === 'longrope') {
    const wrong = [scaling.shortFactor, scaling.longFactor].find((list) => list.length !== rotaryDim / 2);
    if (wrong !== undefined) return `longrope factor lists must hold ${rotaryDim / 2} values, not ${wrong.length}`;
  }
  if (facts.stopSequences?.includes('') === true) return 'a stop sequence is empty';
  return undefined;
}

/**
 * The configuration as plain data.
 *
 * Rules of the runtime's schema: `version` 1 on every object but `positional-encoding` and what is below it; rope is given
 * by `positional-encoding` and therefore not in QnnHtp; `kv-dim` and `sampler` are needed although optional.
 *
 * @throws TundishError CONTAINER_GENIE_UNSUPPORTED when `genieObstacle` names one
 */
export function genieConfig(facts: GenieFacts): Record<string, unknown> {
  const obstacle = genieObstacle(facts);
  if (obstacle !== undefined) throw containerError('CONTAINER_GENIE_UNSUPPORTED', { what: 'genie_config.json cannot be written for this model', why: obstacle });
  const { stopSequences = [], engine = GENIE_ENGINE } = facts;
  return {
    dialog: {
      version: 1,
      type: 'basic',
      'max-num-tokens': facts.generation.maxTokens,
      ...(stopSequences.length === 0 ? {} : { 'stop-sequence': [...stopSequences] }),
      context: context(facts),
      sampler: sampler(facts),
      tokenizer: { version: 1, path: facts.tokenizer },
      engine: {
        version: 1,
        'n-threads': engine.threads,
        backend: backend(facts, engine),
        model: {
          version: 1,
          type: 'binary',
          binary: { version: 1, 'ctx-bins': [...facts.contextBinaries] },
          'positional-encoding': positionalEncoding(facts.rope),
        },
      },
    },
  };
}

function context(facts: GenieFacts): Record<string, unknown> {
  const { bos, eos, pad } = facts.tokens;
  return {
    version: 1,
    size: facts.contextLength,
    'n-vocab': facts.vocabularySize,
    'bos-token': bos,
    'eos-token': eos.length === 1 ? eos[0] : [...eos],
    ...(pad === null ? {} : { 'pad-token': pad }),
  };
}

function sampler(facts: GenieFacts): Record<string, unknown> {
  const { temperature, topK, topP, repetitionPenalty } = facts.generation;
  const penalty = repetitionPenalty === 1 ? {} : { 'token-penalty': { version: 1, 'penalize-last-n': facts.contextLength, 'repetition-penalty': repetitionPenalty } };
  if (temperature === 0) return { version: 1, seed: facts.seed, temp: 1, 'top-k': 1, 'top-p': 1, greedy: true, ...penalty };
  return { version: 1, seed: facts.seed, temp: temperature, 'top-k': topK === 0 ? facts.vocabularySize : topK, 'top-p': topP, ...penalty };
}

function backend(facts: GenieFacts, engine: GenieEngine): Record<string, unknown> {
  return {
    version: 1,
    type: 'QnnHtp',
    QnnHtp: {
      version: 1, 'use-mmap': engine.useMmap, 'spill-fill-bufsize': engine.spillFillBytes, 'mmap-budget': engine.mmapBudgetMb, poll: engine.poll, 'cpu-mask': engine.cpuMask,
      'kv-dim': facts.headDim, 'allow-async-init': engine.allowAsyncInit,
    },
    ...(facts.extensions === undefined ? {} : { extensions: facts.extensions }),
  };
}

function positionalEncoding(rope: GenieFacts['rope']): Record<string, unknown> {
  const scaling = ropeScaling(rope.scaling);
  return { type: 'rope', 'rope-dim': rope.rotaryDim / 2, 'rope-theta': rope.theta, ...(scaling === undefined ? {} : { 'rope-scaling': scaling }) };
}

function ropeScaling(scaling: RopeScaling): Record<string, unknown> | undefined {
  switch (scaling.type) {
    case 'linear':
      return { 'rope-type': 'linear', factor: scaling.factor };
    case 'llama3':
      return {
        'rope-type': 'llama3', factor: scaling.factor, 'low-freq-factor': scaling.lowFrequencyFactor,
        'high-freq-factor': scaling.highFrequencyFactor, 'original-max-position-embeddings': scaling.originalContextLength,
      };
    case 'longrope':
      return {
        'rope-type': 'longrope', factor: scaling.factor, 'short-factor': [...scaling.shortFactor],
        'long-factor': [...scaling.longFactor], 'original-max-position-embeddings': scaling.originalContextLength,
      };
    default:
      return undefined;
  }
}
