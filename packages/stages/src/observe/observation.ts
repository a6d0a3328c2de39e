/** Tells observers of the spans of one pipeline; costs nothing where nobody listens. */
import { type Progress, type Reporter, TundishError, messageOf, printable } from '@tundish/diagnostics';
import type { FoundIn } from '../shared-results.js';
import { type BuildEvent, EVENT_SCHEMA, type Observer, type SpanIdentity } from './event.js';
import { type ProcessUsage, bytesBetween, processUsage } from './process-usage.js';

export interface ObservationRequest {
  readonly observers: readonly Observer[];
  readonly model: string;
  /** Start of the run, milliseconds since 1970. */
  readonly startedAt: number;
  /** Bytes that the store has added so far. */
  readonly stored: () => number;
  readonly reporter: Reporter;
}

/** A span while it lasts. */
export interface Span {
  /** Passes everything on, and what is progress to observers too. */
  reporter(reporter: Reporter): Reporter;
}

/** How often one span tells its progress, in milliseconds; the last report is always told. */
const PROGRESS_EVERY = 100;
/** How long an observer may take to end, in milliseconds. */
const CLOSING_TIME = 5000;

const UNOBSERVED: Span = { reporter: (reporter) => reporter };

export class Observation {
  readonly #listening: Set<Observer>;
  readonly #pending = new Map<Observer, Promise<void>>();

  constructor(private readonly request: ObservationRequest) {
    this.#listening = new Set(request.observers);
  }

  /** Runs the work of a span between its first and its last event; `status` of the result says which that is. */
  async around<T extends { readonly status: 'run' | 'cached'; readonly source?: FoundIn }>(identity: SpanIdentity, work: (span: Span) => Promise<T>): Promise<T> {
    if (this.#listening.size === 0) return work(UNOBSERVED);
    const began = this.#usage();
    const tell = (kind: BuildEvent['kind'], more: Partial<BuildEvent> = {}): void => this.#emit(identity, kind, began, more);
    tell('start');
    try {
      const result = await work({ reporter: (reporter) => reportingTo(reporter, (progress) => tell('progress', { progress })) });
      if (result.status === 'cached') tell('hit', { source: result.source ?? 'local' });
      else tell('finish');
      return result;
    } catch (error) {
      tell('fail', { error: { code: error instanceof TundishError ? error.code : null, message: messageOf(error) } });
      throw error;
    }
  }

  /** Waits for what observers began, and lets them end. */
  async close(): Promise<void> {
    for (const observer of this.#listening) {
      this.#follow(observer, () => observer.close?.());
      await this.#ended(observer);
    }
    this.#listening.clear();
  }

  #usage(): ProcessUsage {
    return processUsage(this.request.stored());
  }

  #emit(identity: SpanIdentity, kind: BuildEvent['kind'], began: ProcessUsage, more: Partial<BuildEvent>): void {
    const { model, startedAt } = this.request;
    const now = kind === 'start' ? began : this.#usage();
    const event: BuildEvent = {
      schema: EVENT_SCHEMA, kind, ...identity, model, process: process.pid,
      at: (performance.timeOrigin + now.now - startedAt) / 1000,
      usage: {
        wallSeconds: (now.now - began.now) / 1000,
        cpuSeconds: now.cpuSeconds - began.cpuSeconds,
        rssBytes: now.rssBytes,
        peakRssBytes: now.peakRssBytes,
        bytes: bytesBetween(began.bytes, now.bytes),
      },
      ...more,
    };
    for (const observer of this.#listening) this.#follow(observer, () => observer.on(event));
  }

  /** Calls an observer; what it returns may be a promise, which the build does not wait for. */
  #follow(observer: Observer, call: () => unknown): void {
    try {
      const returned = call();
      if (!(returned instanceof Promise)) return;
      const earlier = this.#pending.get(observer) ?? Promise.resolve();
      this.#pending.set(observer, Promise.all([earlier, returned.catch((error: unknown) => this.#drop(observer, error))]).then(() => undefined));
    } catch (error) {
      this.#drop(observer, error);
    }
  }

  #drop(observer: Observer, error: unknown): void {
    if (!this.#listening.delete(observer)) return;
    this.request.reporter.warn(`observer ${printable(observer.name)} failed and is not told more: ${printable(messageOf(error))}`);
  }

  async #ended(observer: Observer): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#drop(observer, new Error(`it did not end within ${CLOSING_TIME / 1000} s`));
        resolve();
      }, CLOSING_TIME);
    });
    await Promise.race([this.#pending.get(observer), late]);
    clearTimeout(timer);
  }
}

function reportingTo(reporter: Reporter, tell: (progress: Progress) => void): Reporter {
  let last = -Infinity;
  return {
    info: (message) => reporter.info(message),
    warn: (message) => reporter.warn(message),
    progress: (progress) => {
      reporter.progress(progress);
      const now = performance.now();
      if (progress.done < progress.total && now - last < PROGRESS_EVERY) return;
      last = now;
      tell(progress);
    },
  };
}
