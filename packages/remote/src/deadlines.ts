/** How long a remote cache may be silent, and what happens then. */
import { Readable } from 'node:stream';
import { messageOf, TundishError } from '@tundish/diagnostics';
import { remoteError } from './errors.js';

/** Milliseconds. */
export interface Deadlines {
  /** Until an answer begins. */
  readonly answer: number;
  /** Between two pieces of a body, in either direction. */
  readonly idle: number;
  /** After the last byte of an upload: the other side may have to write gigabytes to its disk. */
  readonly settle: number;
}

export const DEADLINES: Deadlines = { answer: 5000, idle: 15_000, settle: 60_000 };

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

/** The same bytes; waits for each piece no longer than `idle`, and says that it was the remote cache when the stream fails. */
export function watchedStream(stream: Readable, patience: Patience, idle: number): Readable {
  const stop = (): void => void stream.destroy(patience.signal.reason as Error);
  patience.signal.addEventListener('abort', stop, { once: true });
  return Readable.from(pieces(), { objectMode: false });

  async function* pieces(): AsyncGenerator<Buffer> {
    const source = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    try {
      for (;;) {
        patience.expect(idle, 'no byte came');
        const { done, value } = await source.next();
        patience.rest();
        if (done === true) return;
        yield value;
      }
    } catch (error) {
      throw remoteFailure(error);
    } finally {
      patience.rest();
      patience.signal.removeEventListener('abort', stop);
      stream.destroy();
    }
  }
}

/** What went wrong on the way to the remote cache, as an error that names it. */
export function remoteFailure(error: unknown): TundishError {
  if (error instanceof TundishError) return error;
  return remoteError('REMOTE_UNAVAILABLE', { what: `the connection failed: ${messageOf(error)}`, cause: error });
}
