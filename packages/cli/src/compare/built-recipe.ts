/** Quantizes a model by one of the compared recipes, with results in the cache alone, and says what that cost when it ran. */
import type { Reporter } from '@tundish/diagnostics';
import type { RecipeResult } from '@tundish/evaluate';
import type { Lock } from '@tundish/recipe/lock';
import { MEDIA, Pipeline, type PipelineRequest, inputsOf, unitName } from '@tundish/stages';
import { type StageManifest, readSidecar } from '@tundish/store';
import { lastGraphStage } from '../evaluated-stages.js';

/** What a recipe gave, ready to be measured. */
export interface BuiltRecipe {
  readonly name: string;
  readonly pipeline: Pipeline;
  /** The last stage before arcl, whose result is measured. */
  readonly stage: string;
  /** Of quantize, now. */
  readonly status: 'run' | 'cached';
  readonly cost: Pick<RecipeResult, 'bytes' | 'seconds' | 'peakRssBytes'>;
}

const QUANTIZE = { stage: 'quantize', subject: null };

/** Runs what the store does not have of load, optimize, quantize and the stages of the recipe's own behind them. */
export async function buildRecipe(name: string, lock: Lock, request: Omit<PipelineRequest, 'inputsInPlace' | 'observers'>): Promise<BuiltRecipe> {
  const pipeline = Pipeline.ofVariant({ ...request, reporter: namedReporter(name, request.reporter) }, lock);
  const stage = lastGraphStage(lock);
  try {
    const { status } = await pipeline.run(QUANTIZE);
    const { manifest } = await pipeline.run({ stage, subject: null });
    const { wall_seconds: seconds, memory } = readSidecar(await quantizeEntry(pipeline));
    return { name, pipeline, stage, status, cost: { bytes: weightBytes(manifest), seconds, peakRssBytes: memory.measured } };
  } finally {
    // Nothing runs after this: what is measured is read from the store.
    await pipeline.close();
  }
}

/** Several recipes run one after the other: progress and warnings say which. */
function namedReporter(name: string, reporter: Reporter): Reporter {
  return {
    info: (message) => reporter.info(`${name}: ${message}`),
    warn: (message) => reporter.warn(`${name}: ${message}`),
    progress: (progress) => reporter.progress({ ...progress, work: `${name} ${progress.work}` }),
  };
}

/** The cache entry of quantize. */
async function quantizeEntry(pipeline: Pipeline): Promise<string> {
  const upstream = new Map<string, StageManifest>();
  for (const unit of inputsOf(pipeline.lock, QUANTIZE)) upstream.set(unitName(unit), (await pipeline.run(unit)).manifest);
  return (await pipeline.explain(QUANTIZE, upstream)).entry;
}

/** Of the files that hold the weights of a graph, its own and those that it refers to. */
function weightBytes({ outputs, externals }: StageManifest): number {
  return [...outputs.filter(({ mediaType }) => mediaType === MEDIA.weights), ...externals].reduce((sum, { size }) => sum + size, 0);
}
