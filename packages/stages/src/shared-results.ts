/** The action cache of a model together with a remote cache: results of other machines are found, and those of this one shared. */
import type { ActionCache, BlobRef, RemoteResults, StageManifest, Store } from '@tundish/store';

/** Where a result was. */
export type FoundIn = 'local' | 'remote';

export interface FoundResult {
  readonly manifest: StageManifest;
  readonly source: FoundIn;
}

export class SharedResults {
  constructor(private readonly store: Store, private readonly cache: ActionCache, private readonly remote: RemoteResults | undefined) {}

  /** A result, with its files here or, where there is a remote cache, without: they come when something reads them. */
  async lookup(operation: string, key: string): Promise<FoundResult | undefined> {
    const whole = await this.lookupWhole(operation, key);
    if (whole !== undefined || this.remote === undefined) return whole;
    const known = this.cache.peekManifest(operation, key);
    if (known !== undefined) return { manifest: known, source: 'local' };
    const entry = await this.remote.find(operation, key);
    return entry === undefined ? undefined : { manifest: await this.cache.adopt(entry), source: 'remote' };
  }

  /** A result whose files are all here. */
  async lookupWhole(operation: string, key: string): Promise<FoundResult | undefined> {
    const manifest = (await this.cache.lookup(operation, key)) ?? (await this.cache.lookupCompleted(operation, key));
    return manifest === undefined ? undefined : { manifest, source: 'local' };
  }

  /** As `lookup`, with nothing marked as used and nothing written. */
  async peek(operation: string, key: string): Promise<FoundResult | undefined> {
    const known = this.remote === undefined ? this.cache.peek(operation, key) : this.cache.peekManifest(operation, key);
    if (known !== undefined) return { manifest: known, source: 'local' };
    const entry = await this.remote?.find(operation, key);
    return entry === undefined ? undefined : { manifest: entry.manifest, source: 'remote' };
  }

  /** Sends a result that was published here, beside the work that goes on. */
  share(operation: string, key: string, { outputs }: StageManifest): void {
    this.remote?.share(this.store, { key, entry: this.cache.encodedEntry(operation, key), blobs: outputs });
  }

  /** Brings files into the store, as far as the remote cache has them. */
  async fetch(refs: readonly BlobRef[]): Promise<void> {
    const lacking = this.remote === undefined ? [] : refs.filter((ref) => !this.store.has(ref));
    if (lacking.length > 0) await this.remote?.fetch(this.store, lacking);
  }
}
