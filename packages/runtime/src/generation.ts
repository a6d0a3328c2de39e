/** What a caller asks for and gets while text is generated. */
import type { ChatMessage } from '@tundish/tokenizer';
import type { SamplingOptions } from './sampler.js';

/** Text, ids as they are, or a conversation that the chat template turns into a prompt. */
export type Prompt = string | { readonly ids: readonly number[] } | { readonly messages: readonly ChatMessage[] };

/** Options that are left out come from the container's generation defaults. */
export interface GenerateOptions extends Partial<SamplingOptions> {
  /** Tokens to generate at most. */
  readonly maxTokens?: number;
  /** Stops between two tokens or two chunks of the prompt; what was generated stays. */
  readonly signal?: AbortSignal;
  /**
   * Keep the cache of the longest common prefix with the previous call, for the next turn of a conversation. Default false:
   * a fresh cache makes the result independent of what ran before, down to the last bit.
   */
  readonly reusePrefix?: boolean;
}

export interface GeneratedToken {
  /** null for text that was held back when generation stopped between two tokens. */
  readonly id: number | null;
  /** The text that became certain with this token; often empty, never half a character. */
  readonly text: string;
}

export type StopReason = 'eos' | 'max-tokens' | 'capacity' | 'aborted';

export interface GenerationStats {
  readonly stopReason: StopReason;
  readonly promptTokens: number;
  /** Prompt tokens that were taken from the cache. */
  readonly cachedTokens: number;
  /** Tokens given to the caller; the one that ended the text is not among them. */
  readonly generatedTokens: number;
  /** Seconds from the call to the first token. */
  readonly timeToFirstToken: number;
  /** Prompt tokens computed per second; 0 when none was. */
  readonly prefillTokensPerSecond: number;
  /** Tokens after the first per second; 0 when there was none. */
  readonly decodeTokensPerSecond: number;
}

/** Iterate it once for the tokens; `stats` is there when the iteration has ended. */
export interface Generation extends AsyncIterable<GeneratedToken> {
  readonly stats: GenerationStats | undefined;
}
