/** What a process sends to a remote cache beside its work: blobs, then the entries that name them, and only what is missing there. */
import type { Reporter } from '@tundish/diagnostics';
import type { BlobRef, RemoteCache, SharedResult, Store } from '@tundish/store';
import type { Deadlines } from './deadlines.js';
import { remoteFailure } from './errors.js';
import { Limiter } from './limiter.js';
import type { Outage } from './outage.js';
import { Patience, answerWithin } from './patience.js';

export interface UploadsRequest {
  readonly cache: RemoteCache;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly deadlines: Deadlines;
  readonly outage: Outage;
  /** Blobs that are sent at once. */
  readonly streams: number;
}

export class Uploads {
  readonly #limiter: Limiter;
  readonly #pending = new Set<Promise<void>>();
  /** By sha256: whether the blob is there, or will be. */
  readonly #blobs = new Map<string, Promise<boolean>>();
  #bytes = 0;
  #queued = { files: 0, bytes: 0 };
  #done = { files: 0, bytes: 0 };

  constructor(private readonly request: UploadsRequest) {
    this.#limiter = new Limiter(request.streams);
  }

  /** That were sent. */
  get bytes(): number {
    return this.#bytes;
  }

  add(store: Store, result: SharedResult): void {
    if (this.#isOver) return;
    const sending = this.#send(store, result).catch((error: unknown) => this.#failed(result, error)).finally(() => this.#pending.delete(sending));
    this.#pending.add(sending);
  }

  /** Waits for everything that was added; not after an abort. */
  async finish(): Promise<void> {
    const { signal, reporter } = this.request;
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    const waited = this.#pending.size > 0;
    while (this.#pending.size > 0 && !signal.aborted) {
      const { files, bytes } = this.#done;
      reporter.progress({ work: 'upload', label: 'files', done: files, total: this.#queued.files, bytes: { done: bytes, total: this.#queued.bytes } });
      await Promise.race([...this.#pending, aborted]);
    }
    const { files, bytes } = this.#queued;
    if (waited) reporter.progress({ work: 'upload', label: 'files', done: files, total: files, bytes: { done: bytes, total: bytes } });
  }

  get #isOver(): boolean {
    const { outage, signal } = this.request;
    return outage.isDown || outage.refuses || signal.aborted;
  }

  async #send(store: Store, { key, entry, blobs }: SharedResult): Promise<void> {
    const there = await Promise.all(blobs.map((blob) => this.#blob(store, blob)));
    // A blob that neither side has: the entry would name what nobody can get.
    if (there.includes(false) || this.#isOver) return;
    const outcome = await answerWithin(this.request.signal, this.request.deadlines.idle, (signal) => this.request.cache.writeEntry(key, entry, signal));
    if (outcome === 'refused') return this.request.outage.reportRefusal();
    this.#bytes += entry.byteLength;
  }

  #blob(store: Store, ref: BlobRef): Promise<boolean> {
    const known = this.#blobs.get(ref.sha256);
    if (known !== undefined) return known;
    this.#queued = { files: this.#queued.files + 1, bytes: this.#queued.bytes + ref.size };
    const sending = this.#limiter.run(() => this.#sendBlob(store, ref)).finally(() => (this.#done = { files: this.#done.files + 1, bytes: this.#done.bytes + ref.size }));
    this.#blobs.set(ref.sha256, sending);
    return sending;
  }

  async #sendBlob(store: Store, ref: BlobRef): Promise<boolean> {
    const { cache, signal, deadlines, outage } = this.request;
    if (this.#isOver) return false;
    if (await answerWithin(signal, deadlines.answer, (own) => cache.hasBlob(ref, own))) return true;
    if (!store.has(ref)) return false;
    // What rotted on this disk must not become the truth of others.
    await store.verify(ref, signal);
    const patience = new Patience(signal);
    let left = ref.size;
    const next = (): void => patience.expect(left > 0 ? deadlines.idle : deadlines.settle, left > 0 ? 'no byte was taken' : 'an upload was not acknowledged');
    next();
    const outcome = await patience.during((own) => cache.writeBlob(ref, store.pathOf(ref), own, (count) => {
      left -= count;
      next();
    }));
    if (outcome === 'refused') outage.reportRefusal();
    else this.#bytes += ref.size;
    return outcome === 'stored';
  }

  #failed({ key }: SharedResult, error: unknown): void {
    const { signal, outage, reporter } = this.request;
    if (signal.aborted) return;
    const failure = remoteFailure(error);
    if (failure.code !== 'REMOTE_UNAVAILABLE') return reporter.warn(`a result is not shared (${key.slice(0, 16)}…): ${failure.message}`);
    outage.report(failure);
  }
}
