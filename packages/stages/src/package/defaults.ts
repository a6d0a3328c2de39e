/** What a container says where the caller says nothing, taken from the checkpoint's own configuration. */
import type { GenerationDefaults, RopeScaling } from '@tundish/container';
import type { ModelFacts } from '../load/stage.js';

/** Sampling as generation_config.json suggests; greedy where it does not ask for sampling. */
export function generationDefaults({ generation }: ModelFacts, { maxTokens }: { readonly maxTokens: number }): GenerationDefaults {
  const sampling = generation.doSample === true;
  return {
    maxTokens,
    temperature: sampling ? (generation.temperature ?? 1) : 0,
    topK: sampling ? (generation.topK ?? 0) : 0,
    topP: sampling ? (generation.topP ?? 1) : 1,
    repetitionPenalty: generation.repetitionPenalty ?? 1,
  };
}

/** The checkpoint's rope scaling in the words of genie_config.json. */
export function ropeScaling(rope: ModelFacts['ropeConfig']): RopeScaling {
  switch (rope.type) {
    case 'linear':
      return { type: 'linear', factor: rope.factor };
    case 'llama3':
      return { type: 'llama3', factor: rope.factor, lowFrequencyFactor: rope.lowFreqFactor, highFrequencyFactor: rope.highFreqFactor, originalContextLength: rope.originalMaxPositionEmbeddings };
    default:
      return { type: rope.type };
  }
}
