/** A conversation that stays inside the context of a container: its messages, and which of them go when there is no room. */
import type { ChatMessage } from '@tundish/tokenizer';
import { runtimeError } from './errors.js';
import type { GenerateOptions, GeneratedToken, Generation } from './generation.js';
import type { Session } from './session.js';

export interface ConversationOptions extends Omit<GenerateOptions, 'signal' | 'reusePrefix'> {
  /** Text of the system message; without it there is none. */
  readonly system?: string;
}

/** The answer to one message: iterate it once; the exchange is in the history when the iteration has ended. */
export interface Reply extends Generation {
  /** Exchanges that were forgotten to make room for this one. */
  readonly dropped: number;
}

/** A message of the user and what the assistant said to it. */
interface Exchange {
  readonly question: string;
  readonly answer: string;
}

/**
 * The ids of the rendered messages are what the model sees; of these the session computes only what its cache does not hold.
 * One conversation a session: another caller of the session costs time, never correctness.
 */
export class Conversation {
  readonly #session: Session;
  readonly #options: Omit<ConversationOptions, 'system'>;
  readonly #room: number;
  #system: string | undefined;
  #exchanges: readonly Exchange[] = [];
  #asked = 0;

  /** @throws TundishError RUNTIME_OPTION_INVALID */
  constructor(session: Session, { system, ...options }: ConversationOptions = {}) {
    session.checkOptions(options);
    this.#session = session;
    this.#options = options;
    this.#system = system === '' ? undefined : system;
    const maxTokens = options.maxTokens ?? session.container.manifest.generation.maxTokens;
    this.#room = Math.min(maxTokens, Math.floor(session.engine.capacity / 4));
  }

  /** What has been said, the system message first. */
  get messages(): readonly ChatMessage[] {
    return this.#render(this.#exchanges);
  }

  /** Forgets everything except the system message, or takes another one. An empty one means none. */
  reset(system = this.#system): void {
    this.#exchanges = [];
    this.#system = system === '' ? undefined : system;
  }

  /**
   * Answers a message. The oldest exchanges are forgotten while the conversation leaves less room than `maxTokens`, or a quarter
   * of the capacity where that is less. The n-th answer draws with `seed + n - 1`.
   *
   * @param signal stops the answer; what was said so far is the answer then, and without a word the message is forgotten too
   * @throws TundishError RUNTIME_CAPACITY when the message alone does not fit, RUNTIME_TOKENIZER_MISSING, CHAT_TEMPLATE_MISSING,
   *   CHAT_TEMPLATE_FAILED, CHAT_TEMPLATE_LIMIT; the history is then what it was
   */
  async ask(question: string, signal?: AbortSignal): Promise<Reply> {
    const { dropped, ids } = await this.#fit(question);
    this.#exchanges = this.#exchanges.slice(dropped);
    const { seed = 0 } = this.#options;
    const generation = this.#session.generate({ ids }, { ...this.#options, seed: seed + this.#asked++, reusePrefix: true, ...(signal === undefined ? {} : { signal }) });
    return {
      dropped,
      [Symbol.asyncIterator]: () => this.#record(question, generation),
      get stats() {
        return generation.stats;
      },
    };
  }

  /** The smallest number of exchanges to leave out, and the ids of what is left. */
  async #fit(question: string): Promise<{ dropped: number; ids: readonly number[] }> {
    const { capacity } = this.#session.engine;
    for (let dropped = 0; ; dropped++) {
      const ids = await this.#session.promptIds({ messages: this.#render(this.#exchanges.slice(dropped), question) });
      // The last token of an answer is never put into the cache.
      if (ids.length + this.#room <= capacity + 1) return { dropped, ids };
      if (dropped < this.#exchanges.length) continue;
      if (ids.length <= capacity) return { dropped, ids };
      throw runtimeError('RUNTIME_CAPACITY', {
        what: `the message ${this.#system === undefined ? 'needs' : 'and the system message need'} ${ids.length} tokens and the container holds ${capacity}`,
        fix: 'say it in fewer words, or add a larger CL to the recipe and build again',
      });
    }
  }

  async *#record(question: string, generation: Generation): AsyncGenerator<GeneratedToken, void> {
    let answer = '';
    try {
      for await (const token of generation) {
        answer += token.text;
        yield token;
      }
    } finally {
      const finished = generation.stats !== undefined && generation.stats.stopReason !== 'aborted';
      if (finished || answer !== '') this.#exchanges = [...this.#exchanges, { question, answer }];
    }
  }

  #render(exchanges: readonly Exchange[], question?: string): ChatMessage[] {
    return [
      ...(this.#system === undefined ? [] : [{ role: 'system', content: this.#system }]),
      ...exchanges.flatMap((exchange) => [{ role: 'user', content: exchange.question }, { role: 'assistant', content: exchange.answer }]),
      ...(question === undefined ? [] : [{ role: 'user', content: question }]),
    ];
  }
}
