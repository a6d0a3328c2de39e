/** Opens what an evaluation compares: the checkpoint itself, the graphs of a stage, the compiled container. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Adaptation, architectures } from '@tundish/architectures';
import { openCheckpoint } from '@tundish/checkpoint';
import { silentReporter } from '@tundish/diagnostics';
import type { LogitSource } from '@tundish/evaluate';
import type { Encodings } from '@tundish/graph';
import { FLOAT_MASK, causalMask } from '@tundish/quantize';
import { Engine, type EngineModel, openContainer } from '@tundish/runtime';
import { ADAPTATION_FILE, type Pipeline, adaptCheckpoint, modelFacts, readEncodings, readGraph, restoreContainer, ropeTables } from '@tundish/stages';
import type { TensorData } from '@tundish/toolchain';
import { convertArCl } from '@tundish/transform';
import { openGraph } from './compiled-graph.js';
import { type ExecutableRequest, executableContainer } from './executable-container.js';
import { modelFactsOf } from './model-text.js';
import { stageToolchain } from './stage-toolchain.js';
import { adapters, toolchainNamed } from './toolchains.js';

export interface OpenedSource extends LogitSource {
  close(): Promise<void>;
}

export interface SourceOptions {
  readonly threads: number;
  readonly signal: AbortSignal;
}

/** Tokens a pass when a stage's graph is evaluated: the prefill size that recipes use. */
const CHUNK = 128;

/** The checkpoint read anew, all tokens of a window in one pass: no artifact of the pipeline is involved. */
export async function checkpointSource(pipeline: Pipeline, tokens: number, options: SourceOptions): Promise<OpenedSource> {
  const folder = await pipeline.checkpoint();
  const checkpoint = await openCheckpoint(folder, { knownModelTypes: [...architectures.keys()], reporter: silentReporter, signal: options.signal });
  const { model, adaptation } = adaptCheckpoint(checkpoint, { reporter: silentReporter });
  const sized = convertArCl(model, adaptation.base, { ar: tokens, cl: tokens + 1 });
  const opened = await adapters.reference().open({ model: sized, resolve: (location) => join(folder, location), threads: options.threads });
  const rope = ropeTables(modelFacts(checkpoint).rope, 0, tokens);
  const feeds = new Map<string, TensorData>();
  for (const { name, shape } of sized.graph.inputs) if (name.startsWith('past_')) feeds.set(name, new Float32Array((shape ?? []).reduce<number>((count, dim) => count * Number(dim), 1)));
  feeds.set('attention_mask', causalMask(tokens)).set('position_ids_cos', rope.cos).set('position_ids_sin', rope.sin);
  return {
    vocabularySize: adaptation.dims.vocab,
    score: async function* (ids) {
      const padded = new Int32Array(tokens);
      padded.set(ids);
      const logits = (await opened.run(new Map([...feeds, ['input_ids', padded]]), ['logits'])).get('logits') as Float32Array;
      yield logits.subarray(0, ids.length * adaptation.dims.vocab);
    },
    close: () => opened.close(),
  };
}

/**
 * The graph of a stage of the whole model with its encodings, lowered and compiled by the model's toolchain at one AR and CL.
 *
 * @param replaced gives the encodings that are used in place of those of the stage
 */
export async function stageSource(pipeline: Pipeline, stage: string, tokens: number, { replaced = (encodings) => encodings, ...options }: SourceOptions & { readonly replaced?: (encodings: Encodings) => Encodings }): Promise<OpenedSource> {
  const engineModel = await engineModelOf(pipeline, stage);
  const load = await pipeline.input({ stage: 'load', subject: null });
  const { base } = JSON.parse(await readFile(load.path(ADAPTATION_FILE), 'utf8')) as Adaptation;
  const input = await pipeline.input({ stage, subject: null });
  const size = { ar: CHUNK, cl: Math.ceil((tokens + CHUNK) / 32) * 32 };
  const model = convertArCl(await readGraph(input), base, size);
  const encodings = await readEncodings(model, input);
  const executable = await openGraph({
    ...stageToolchain(pipeline.lock),
    model,
    ...size,
    encodings: encodings === undefined ? undefined : replaced(encodings),
    resolve: (location) => input.resolve(location),
    threads: options.threads,
    signal: options.signal,
  });
  try {
    return engineSource(new Engine([executable], engineModel), () => executable.close());
  } catch (error) {
    await executable.close();
    throw error;
  }
}

/** What an engine must know to run the graph of a stage. */
export async function engineModelOf(pipeline: Pipeline, stage: string): Promise<EngineModel> {
  const { vocabularySize, rope, tokens } = await modelFactsOf(pipeline);
  const maskValue = (await pipeline.input({ stage, subject: null })).manifest.facts['maskValue'];
  return { vocabularySize, rope, maskValue: typeof maskValue === 'number' ? maskValue : FLOAT_MASK, padToken: tokens.pad ?? tokens.eos[0] ?? 0 };
}

/** The finished container, run as `generate` runs it. */
export async function containerSource(pipeline: Pipeline, options: SourceOptions): Promise<OpenedSource> {
  const { folder } = await restoreContainer(pipeline);
  const session = await openContainer(folder, { toolchain: toolchainNamed, threads: options.threads });
  return engineSource(session.engine, () => session.close());
}

/** The container of a model for a device, where it runs on this machine. */
export async function executableSource(request: ExecutableRequest): Promise<OpenedSource> {
  const { folder } = await executableContainer(request);
  const session = await openContainer(folder, { toolchain: toolchainNamed, threads: request.threads });
  return engineSource(session.engine, () => session.close());
}

/** Every window starts from an empty cache. */
export function engineSource(engine: Engine, close: () => Promise<void>): OpenedSource {
  return {
    vocabularySize: engine.vocabularySize,
    score: (tokens) => {
      engine.reset();
      return engine.score(tokens);
    },
    close,
  };
}
