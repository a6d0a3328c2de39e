/** Text from a bundle by the vendor's own runtime. */
import type { GenerateOptions, GenerationStats, Prompt } from '@tundish/runtime';
import { requireLibraries, withGenie } from '@tundish/toolchain-qairt';
import { qairtPlaces } from './environment.js';
import { cliError } from './errors.js';
import { geniePrompt, promptReader } from './genie-prompt.js';

export interface GenieAnswer {
  readonly ids: readonly number[];
  readonly text: string;
  readonly stats: GenerationStats;
}

/**
 * @param folder bundle whose graphs share nothing
 * @throws CLI_USAGE for what its configuration alone decides, GENIE_*, QAIRT_*
 */
export async function generateOnGenie(folder: string, prompt: Prompt, { maxTokens, ...sampling }: GenerateOptions, signal: AbortSignal): Promise<GenieAnswer> {
  const [chosen] = Object.keys(sampling);
  if (chosen !== undefined) throw cliError('CLI_USAGE', { what: `${chosen} has no meaning with --on genie`, why: 'the sampler is that of genie_config.json', fix: 'remove it, or run --on emulator' });
  const reader = await promptReader(folder);
  const { manifest } = reader.container;
  const { ids, given, room } = await geniePrompt(reader, prompt);
  const most = Math.min(maxTokens ?? manifest.generation.maxTokens, room);
  const { tokens, profile } = await withGenie(requireLibraries(qairtPlaces()), folder, { signal }, async (dialog) => ({ tokens: await dialog.generateTokens(given, { maxTokens: most }), profile: await dialog.profile() }));
  const answer = withoutEnd(tokens, manifest.tokens.eos);
  const query = profile.queries.at(-1);
  return {
    ids: answer,
    text: reader.tokenizer?.decode(answer, { skipSpecialTokens: true }) ?? '',
    stats: {
      stopReason: tokens.length < most ? 'eos' : most === room ? 'capacity' : 'max-tokens',
      promptTokens: ids.length, cachedTokens: 0, generatedTokens: answer.length,
      timeToFirstToken: (query?.timeToFirstTokenUs ?? 0) / 1e6,
      prefillTokensPerSecond: query?.promptTokensPerSecond ?? 0,
      decodeTokensPerSecond: query?.generatedTokensPerSecond ?? 0,
    },
  };
}

/** Genie gives the token that ended the answer. */
export function withoutEnd(tokens: Int32Array, eos: readonly number[]): number[] {
  return eos.includes(tokens.at(-1) ?? -1) ? [...tokens.subarray(0, -1)] : [...tokens];
}
