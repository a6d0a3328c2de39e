/** Times one generation: prompt, first token, the tokens after it. */
import type { GenerationStats, StopReason } from './generation.js';

export class Stopwatch {
  readonly #start = performance.now();
  #prefillStart = this.#start;
  #first = this.#start;
  #last = this.#start;
  #promptTokens = 0;
  #cachedTokens = 0;
  #tokens = 0;

  get tokens(): number {
    return this.#tokens;
  }

  /** The prompt is tokenized and its computation begins. */
  promptKnown(tokens: number, cached: number): void {
    this.#promptTokens = tokens;
    this.#cachedTokens = cached;
    this.#prefillStart = performance.now();
  }

  /** A token was chosen. */
  token(): void {
    this.#last = performance.now();
    if (this.#tokens === 0) this.#first = this.#last;
    this.#tokens++;
  }

  stats(stopReason: StopReason): GenerationStats {
    return {
      stopReason,
      promptTokens: this.#promptTokens,
      cachedTokens: this.#cachedTokens,
      generatedTokens: this.#tokens,
      timeToFirstToken: this.#tokens === 0 ? 0 : (this.#first - this.#start) / 1000,
      prefillTokensPerSecond: this.#tokens === 0 ? 0 : rate(this.#promptTokens - this.#cachedTokens, this.#first - this.#prefillStart),
      decodeTokensPerSecond: rate(this.#tokens - 1, this.#last - this.#first),
    };
  }
}

function rate(count: number, milliseconds: number): number {
  return count > 0 && milliseconds > 0 ? (1000 * count) / milliseconds : 0;
}
