/** One conversation with a container: tokenizer, engine and sampler behind `generate`. */
import type { Container, GenerationDefaults } from '@tundish/container';
import type { Executable } from '@tundish/toolchain';
import type { Tokenizer } from '@tundish/tokenizer';
import { Engine } from './engine.js';
import { runtimeError } from './errors.js';
import type { GenerateOptions, GeneratedToken, Generation, GenerationStats, Prompt, StopReason } from './generation.js';
import { promptIds } from './prompt-ids.js';
import { GREEDY, Sampler } from './sampler.js';
import { Stopwatch } from './stopwatch.js';

/** Made by `openContainer`; `close` it. */
export class Session {
  readonly container: Container;
  /** Absent when the checkpoint had none: prompts are then ids, and tokens come without text. */
  readonly tokenizer: Tokenizer | undefined;
  /** For scoring; not while a generation runs. */
  readonly engine: Engine;
  readonly #executables: readonly Executable[];
  /** Tokens in the engine's cache. */
  #cached: number[] = [];
  #generating = false;

  constructor(container: Container, tokenizer: Tokenizer | undefined, executables: readonly Executable[]) {
    const { manifest } = container;
    this.container = container;
    this.tokenizer = tokenizer;
    this.#executables = executables;
    this.engine = new Engine(executables, {
      vocabularySize: manifest.vocabularySize,
      rope: manifest.rope,
      maskValue: manifest.maskValue,
      padToken: manifest.tokens.pad ?? manifest.tokens.eos[0] ?? 0,
    });
  }

  /**
   * Generates until a token of the container's eos list, `maxTokens`, the capacity, or the signal.
   *
   * Errors come out of the iteration: RUNTIME_OPTION_INVALID, RUNTIME_PROMPT_EMPTY, RUNTIME_CAPACITY (before anything runs),
   * RUNTIME_BUSY while another generation of this session runs, RUNTIME_LOGITS_NOT_FINITE.
   */
  generate(prompt: Prompt, options: GenerateOptions = {}): Generation {
    let stats: GenerationStats | undefined;
    const run = (): AsyncGenerator<GeneratedToken, void> => this.#exclusive(prompt, options, (final) => (stats = final));
    return {
      [Symbol.asyncIterator]: run,
      get stats() {
        return stats;
      },
    };
  }

  /**
   * The ids that a prompt stands for.
   *
   * @throws TundishError RUNTIME_TOKENIZER_MISSING, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED, CHAT_TEMPLATE_LIMIT
   */
  promptIds(prompt: Prompt): Promise<readonly number[]> {
    return promptIds(this.container, this.tokenizer, prompt);
  }

  /** Refuses before anything runs what `generate` would refuse: @throws TundishError RUNTIME_OPTION_INVALID */
  checkOptions(options: GenerateOptions): void {
    settings(this.container.manifest.generation, options);
  }

  /** Forgets the conversation. */
  reset(): void {
    this.engine.reset();
    this.#cached = [];
  }

  async close(): Promise<void> {
    await Promise.all(this.#executables.map((executable) => executable.close()));
  }

  async *#exclusive(prompt: Prompt, options: GenerateOptions, finish: (stats: GenerationStats) => void): AsyncGenerator<GeneratedToken, void> {
    if (this.#generating) {
      throw runtimeError('RUNTIME_BUSY', { what: 'the session is generating already', fix: 'wait for the earlier generation, or open a second session' });
    }
    this.#generating = true;
    try {
      yield* this.#tokens(prompt, options, finish);
    } finally {
      this.#generating = false;
    }
  }

  async *#tokens(prompt: Prompt, options: GenerateOptions, finish: (stats: GenerationStats) => void): AsyncGenerator<GeneratedToken, void> {
    const watch = new Stopwatch();
    const { sampler, maxTokens } = settings(this.container.manifest.generation, options);
    const ids = await this.promptIds(prompt);
    const cachedTokens = this.#adopt(ids, options.reusePrefix ?? false);
    await this.engine.prepare(ids.length - cachedTokens);
    watch.promptKnown(ids.length, cachedTokens);
    const eos = new Set(this.container.manifest.tokens.eos);
    const decoder = this.tokenizer?.streamDecoder({ skipSpecialTokens: true });
    const history = [...ids];
    let pending = ids.slice(cachedTokens);
    let stopReason: StopReason | undefined;
    while (stopReason === undefined) {
      const logits = await this.#advance(pending, options.signal);
      const id = logits === undefined ? undefined : sampler.next(logits, history);
      if (id === undefined) stopReason = 'aborted';
      else if (eos.has(id)) stopReason = 'eos';
      else {
        watch.token();
        history.push(id);
        pending = [id];
        yield { id, text: decoder?.push(id) ?? '' };
        stopReason = this.#limit(watch.tokens, maxTokens, options.signal);
      }
    }
    const rest = decoder?.flush() ?? '';
    if (rest !== '') yield { id: null, text: rest };
    finish(watch.stats(stopReason));
  }

  #limit(tokens: number, maxTokens: number, signal: AbortSignal | undefined): StopReason | undefined {
    if (tokens >= maxTokens) return 'max-tokens';
    if (this.engine.position >= this.engine.capacity) return 'capacity';
    return signal?.aborted === true ? 'aborted' : undefined;
  }

  /** Logits after the tokens, or undefined when the signal came first. */
  async #advance(ids: readonly number[], signal: AbortSignal | undefined): Promise<Float32Array | undefined> {
    try {
      if (signal?.aborted === true) return undefined;
      return ids.length === 1 && this.engine.position > 0 ? await this.engine.step(ids[0] as number) : await this.engine.prefill(ids, signal);
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) return undefined;
      throw error;
    } finally {
      const done = this.engine.position - this.#cached.length;
      for (const id of ids.slice(0, done)) this.#cached.push(id);
    }
  }

  /** Cuts the cache to what the prompt shares with it and returns that length; at least one token is left to compute. */
  #adopt(ids: readonly number[], reuse: boolean): number {
    if (ids.length > this.engine.capacity) {
      throw runtimeError('RUNTIME_CAPACITY', {
        what: `the prompt has ${ids.length} tokens and the container holds ${this.engine.capacity}`,
        fix: 'shorten the prompt, or add a larger CL to the recipe and build again',
      });
    }
    let shared = 0;
    while (reuse && shared < ids.length - 1 && shared < this.#cached.length && ids[shared] === this.#cached[shared]) shared++;
    if (shared === 0) this.reset();
    else this.engine.rewind(shared);
    this.#cached.length = shared;
    return shared;
  }
}

function settings(defaults: GenerationDefaults, options: GenerateOptions): { sampler: Sampler; maxTokens: number } {
  const maxTokens = options.maxTokens ?? defaults.maxTokens;
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1) {
    throw runtimeError('RUNTIME_OPTION_INVALID', { what: `maxTokens is ${maxTokens}`, fix: 'give an integer of 1 or more' });
  }
  return {
    maxTokens,
    sampler: new Sampler({
      temperature: options.temperature ?? defaults.temperature,
      topK: options.topK ?? defaults.topK,
      topP: options.topP ?? defaults.topP,
      repetitionPenalty: options.repetitionPenalty ?? defaults.repetitionPenalty,
      seed: options.seed ?? GREEDY.seed,
      presencePenalty: options.presencePenalty ?? GREEDY.presencePenalty,
      frequencyPenalty: options.frequencyPenalty ?? GREEDY.frequencyPenalty,
      penaltyWindow: options.penaltyWindow ?? GREEDY.penaltyWindow,
    }),
  };
}
