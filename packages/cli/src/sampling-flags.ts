/** The options of generate and chat that say how tokens are chosen. */
import type { GenerateOptions } from '@tundish/runtime';

export interface SamplingFlags {
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed?: number;
}

/** Leaves out what was not given, so that the container's defaults hold. */
export function samplingOf({ maxTokens, temperature, topK, topP, seed }: SamplingFlags): GenerateOptions {
  return {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(seed === undefined ? {} : { seed }),
  };
}
