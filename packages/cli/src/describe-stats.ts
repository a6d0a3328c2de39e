/** The figures of one generation as a line for people. */
import type { GenerationStats } from '@tundish/runtime';

export function describeStats(stats: GenerationStats): string {
  const rate = (value: number): string => `${value.toFixed(1)} tok/s`;
  const cached = stats.cachedTokens === 0 ? '' : ` (${stats.cachedTokens} of them known)`;
  return `${stats.promptTokens} prompt tokens${cached} at ${rate(stats.prefillTokensPerSecond)}, ${stats.generatedTokens} generated tokens at ${rate(stats.decodeTokensPerSecond)}, first token after ${(1000 * stats.timeToFirstToken).toFixed(0)} ms, stopped by ${stats.stopReason}`;
}
