/** load: a Hugging Face checkpoint becomes the adapted graph, whose weights are byte ranges of the checkpoint's own files. */
import { architectureFor, architectures, chooseBase, type Adaptation } from '@tundish/architectures';
import { openCheckpoint, ropeFrequencies, type Checkpoint } from '@tundish/checkpoint';
import { loadTokenizer } from '@tundish/tokenizer';
import { stageError } from '../errors.js';
import { graphFile, jsonFile } from '../graph-files.js';
import { ADAPTATION_FILE, MODEL_FILE } from '../stage-files.js';
import type { Stage, StageContext, StageFile, StageRequest, StageResult } from '../stage.js';

/** Facts of the model that later stages need and the graph does not say. */
export interface ModelFacts {
  readonly modelType: string;
  readonly vocabularySize: number;
  readonly maxPositionEmbeddings: number;
  readonly rope: { readonly inverseFrequencies: readonly number[]; readonly attentionScaling: number };
  readonly ropeConfig: Checkpoint['config']['rope'];
  readonly tokens: { readonly bos: number | null; readonly eos: readonly number[]; readonly pad: number | null };
  readonly generation: Checkpoint['generationConfig'];
}

export type LoadOptions = Readonly<Record<string, never>>;

export const load: Stage<LoadOptions> = {
  name: 'load',
  requires: ({ source }) => {
    if (!source.has('config.json')) throw stageError('STAGE_REQUIRES', { what: 'the lock file pins no config.json', fix: 'write the lock again: npx nx g @tundish/nx:lock' });
  },
  run: async (context, request) => {
    const folder = await context.checkpoint();
    const checkpoint = await openCheckpoint(folder, { knownModelTypes: [...architectures.keys()], reporter: context.reporter, signal: context.signal });
    if (request.source.has('tokenizer.json')) await loadTokenizer(folder, { vocabSize: checkpoint.config.vocabSize, eosTokenIds: modelFacts(checkpoint).tokens.eos });
    return loadCheckpoint(context, checkpoint, request);
  },
  ensures: ({ files }) => {
    for (const name of [ADAPTATION_FILE, MODEL_FILE]) {
      if (!files.some((file) => file.name === name)) throw stageError('STAGE_ENSURES', { what: `load made no ${name}` });
    }
  },
};

function loadCheckpoint(context: StageContext, checkpoint: Checkpoint, { source }: StageRequest<LoadOptions>): StageResult {
  const { model, adaptation } = adaptCheckpoint(checkpoint, context);
  return {
    files: [graphFile(model), jsonFile(ADAPTATION_FILE, adaptation), jsonFile(MODEL_FILE, modelFacts(checkpoint))] satisfies StageFile[],
    externals: weightFiles(adaptation).map((location) => {
      const pinned = source.get(location);
      if (pinned === undefined) throw stageError('STAGE_SOURCE_CHANGED', { what: `the lock file does not pin ${location}`, fix: 'write the lock again: npx nx g @tundish/nx:lock' });
      return { location, ...pinned };
    }),
    facts: { layers: adaptation.dims.layers, base: { ...adaptation.base } },
  };
}

/** The adapted graph of a checkpoint at a base AR and CL that no other number of the graph equals. */
export function adaptCheckpoint(checkpoint: Checkpoint, { reporter }: Pick<StageContext, 'reporter'>): ReturnType<ReturnType<typeof architectureFor>['adapt']> {
  const architecture = architectureFor(checkpoint.config.modelType);
  const base = chooseBase(architecture.sizes(checkpoint.config));
  return architecture.adapt(checkpoint, { baseAr: base.ar, baseCl: base.cl, reporter });
}

export function modelFacts({ config, generationConfig }: Checkpoint): ModelFacts {
  return {
    modelType: config.modelType,
    vocabularySize: config.vocabSize,
    maxPositionEmbeddings: config.maxPositionEmbeddings,
    rope: ropeFrequencies(config),
    ropeConfig: config.rope,
    tokens: {
      bos: generationConfig.bosTokenId ?? config.bosTokenId,
      eos: generationConfig.eosTokenIds ?? config.eosTokenIds,
      pad: generationConfig.padTokenId ?? config.padTokenId,
    },
    generation: generationConfig,
  };
}

function weightFiles(adaptation: Adaptation): string[] {
  return [...new Set(Object.values(adaptation.tensors).map(({ file }) => file))].sort();
}
