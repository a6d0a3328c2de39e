/** What one process of a build does with a remote cache: asks, downloads and uploads with a bound, believes nothing, waits for nothing long. */
import type { Reporter } from '@tundish/diagnostics';
import { type ActionEntry, type BlobRef, type RemoteCache, type RemoteResults, type RemoteTraffic, type SharedResult, type Store, decodeActionEntry } from '@tundish/store';
import { DEADLINES, type Deadlines } from './deadlines.js';
import { remoteFailure } from './errors.js';
import { Limiter } from './limiter.js';
import { Outage, type RunMarks, marksOfProcess } from './outage.js';
import { Patience, answerWithin } from './patience.js';
import { Uploads } from './uploads.js';
import { watchedStream } from './watched-stream.js';

/** Streams at once, in each direction. */
const STREAMS = 4;
/** A connection that breaks is tried once more. */
const ATTEMPTS = 2;

export interface RemoteSessionRequest {
  readonly cache: RemoteCache;
  /** `read`: nothing is sent. */
  readonly mode: 'read' | 'read-write';
  readonly reporter: Reporter;
  /** Of the build. */
  readonly signal: AbortSignal;
  /** Of a run that has many processes. */
  readonly marks?: RunMarks;
  readonly deadlines?: Deadlines;
}

export class RemoteSession implements RemoteResults {
  readonly #outage: Outage;
  readonly #deadlines: Deadlines;
  readonly #downloads = new Limiter(STREAMS);
  readonly #uploads: Uploads;
  /** sha256 of blobs that were asked for in vain. */
  readonly #vain = new Set<string>();
  #down = 0;

  constructor(private readonly request: RemoteSessionRequest) {
    const { cache, reporter, signal, marks = marksOfProcess(), deadlines = DEADLINES } = request;
    this.#outage = new Outage(cache.name, reporter, marks);
    this.#deadlines = deadlines;
    this.#uploads = new Uploads({ cache, reporter, signal, deadlines, outage: this.#outage, streams: STREAMS });
  }

  get traffic(): RemoteTraffic {
    return { down: this.#down, up: this.#uploads.bytes };
  }

  async find(operation: string, key: string): Promise<ActionEntry | undefined> {
    if (this.#outage.isDown) return undefined;
    const bytes = await this.#asked((signal) => this.request.cache.readEntry(key, signal));
    if (bytes === undefined) return undefined;
    this.#down += bytes.byteLength;
    try {
      return decodeActionEntry(bytes, { key, operation }, `${this.request.cache.name} ac/${key}`);
    } catch (error) {
      this.#outage.reportWrong(`the entry ${operation} ${key.slice(0, 16)}…`, error);
      return undefined;
    }
  }

  async fetch(store: Store, refs: readonly BlobRef[]): Promise<void> {
    const wanted = [...new Map(refs.filter((ref) => !store.has(ref) && !this.#vain.has(ref.sha256)).map((ref) => [ref.sha256, ref])).values()];
    if (wanted.length === 0 || this.#outage.isDown) return;
    const total = wanted.reduce((sum, { size }) => sum + size, 0);
    let [done, bytes] = [0, 0];
    const report = (): void => this.request.reporter.progress({ work: 'download', label: 'files', done, total: wanted.length, bytes: { done: bytes, total } });
    report();
    await Promise.all(wanted.map((ref) => this.#downloads.run(async () => {
      await this.#fetchOne(store, ref);
      done += 1;
      bytes += ref.size;
      report();
    })));
  }

  share(store: Store, result: SharedResult): void {
    if (this.request.mode === 'read-write') this.#uploads.add(store, result);
  }

  finish(): Promise<void> {
    return this.#uploads.finish();
  }

  async #fetchOne(store: Store, ref: BlobRef): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS && !this.#outage.isDown; attempt++) {
      const patience = new Patience(this.request.signal);
      try {
        patience.expect(this.#deadlines.answer, 'no answer came');
        const stream = await patience.during((signal) => this.request.cache.readBlob(ref, signal));
        if (stream === undefined) return void this.#vain.add(ref.sha256);
        await store.putStream(ref, watchedStream(stream, patience, this.#deadlines.idle), patience.signal);
        this.#down += ref.size;
        return;
      } catch (error) {
        this.request.signal.throwIfAborted();
        const failure = remoteFailure(error);
        const { code } = failure;
        if (code === 'STORE_STREAM_DIFFERS') {
          this.#vain.add(ref.sha256);
          return this.#outage.reportWrong(`blob ${ref.sha256.slice(0, 16)}…`, failure);
        }
        // The disk of this machine is full, or may not be written: no other source would help.
        if (code.startsWith('STORE_')) throw failure;
        if (attempt === ATTEMPTS || patience.signal.aborted) return this.#outage.report(failure);
      } finally {
        patience.rest();
      }
    }
  }

  /** One small question. @returns undefined, and asks no more, when there is no sensible answer in time */
  async #asked<T>(question: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      return await answerWithin(this.request.signal, this.#deadlines.answer, question);
    } catch (error) {
      this.request.signal.throwIfAborted();
      this.#outage.report(remoteFailure(error));
      return undefined;
    }
  }
}
