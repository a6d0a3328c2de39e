/** Ports of a remote cache: what a place that machines share can do, and what a build asks of it. Types only. */
import type { Readable } from 'node:stream';
import type { ActionEntry } from './action-entry.js';
import type { BlobRef } from './manifest.js';
import type { Store } from './store.js';

/**
 * A place with blobs by digest and action entries by key, both immutable. Every call rejects when the place cannot be reached or
 * answers nonsense, and with the reason of `signal` when it is aborted.
 */
export interface RemoteCache {
  /** For messages: the URL without secrets. */
  readonly name: string;
  hasBlob(ref: BlobRef, signal: AbortSignal): Promise<boolean>;
  /** Undefined when absent. The stream may hold wrong bytes: the caller verifies. */
  readBlob(ref: BlobRef, signal: AbortSignal): Promise<Readable | undefined>;
  /**
   * From a file that does not change.
   *
   * @param onBytes hears of bytes that were read from the file to be sent
   * @returns `refused` when this writer may not: a token that only reads, a quota
   */
  writeBlob(ref: BlobRef, path: string, signal: AbortSignal, onBytes?: (count: number) => void): Promise<'stored' | 'refused'>;
  /** The bytes under a key as they are, not checked; undefined when absent. */
  readEntry(key: string, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** `stored` also when an entry is there already, which stays. */
  writeEntry(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<'stored' | 'refused'>;
}

/** Bytes of blobs and entries that were moved. */
export interface RemoteTraffic {
  readonly down: number;
  readonly up: number;
}

/** What is to be shared: an entry and the blobs that it names, which are in the store or were on the remote cache before. */
export interface SharedResult {
  readonly key: string;
  readonly entry: Uint8Array;
  readonly blobs: readonly BlobRef[];
}

/** What a build asks of a remote cache. Whatever goes wrong there, the answer is that it has nothing; only an abort rejects. */
export interface RemoteResults {
  readonly traffic: RemoteTraffic;
  /** The result under a key, checked. */
  find(operation: string, key: string): Promise<ActionEntry | undefined>;
  /** Puts blobs into the store, several at once, each verified. Those that cannot be had are not there afterwards. */
  fetch(store: Store, refs: readonly BlobRef[]): Promise<void>;
  /** Sends a result in the background. */
  share(store: Store, result: SharedResult): void;
  /** Waits for what `share` began; given up when the signal of the build is aborted. */
  finish(): Promise<void>;
}
