/** Waits for a remote cache as long as something happens there. */
import { remoteError } from './errors.js';

/** One question that must be answered within `ms`. @throws REMOTE_UNAVAILABLE, the reason of `outer`, what `question` throws */
export function answerWithin<T>(outer: AbortSignal, ms: number, question: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const patience = new Patience(outer);
  patience.expect(ms, 'no answer came');
  return patience.during(question);
}

/** A signal that ends with another one, or when too little happens. */
export class Patience {
  readonly #own = new AbortController();
  readonly signal: AbortSignal;
  #timer: NodeJS.Timeout | undefined;

  constructor(outer: AbortSignal) {
    this.signal = AbortSignal.any([outer, this.#own.signal]);
  }

  /** Something must happen within `ms` from now on; replaces what was said before. */
  expect(ms: number, what: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#own.abort(remoteError('REMOTE_UNAVAILABLE', { what: `${what} within ${ms / 1000} s` })), ms);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }

  /** Runs `work` with the signal; its end is not waited for after an abort, since a hanging file system cannot be interrupted. */
  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(this.signal.reason as Error);
      if (this.signal.aborted) onAbort();
      else this.signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      const running = work(this.signal);
      running.catch(() => undefined);
      return await Promise.race([running, aborted]);
    } catch (error) {
      // What was interrupted may be the first to say so, without the reason.
      throw this.signal.aborted ? this.signal.reason : error;
    } finally {
      this.rest();
      if (onAbort !== undefined) this.signal.removeEventListener('abort', onAbort);
    }
  }
}
