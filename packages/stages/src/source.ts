/** The checkpoint that a lock pins: found, verified once, and looked up by file. */
import { join, resolve } from 'node:path';
import type { Reporter } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { type BlobRef, openFileDigests } from '@tundish/store';
import { stageError } from './errors.js';
import type { ModelLayout } from './layout.js';

export interface SourceRequest {
  readonly cacheRoot: string;
  readonly hubCache: string;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /** False where nothing may be written: digests of files are then not kept for the next time. */
  readonly remember?: boolean;
  /** Access to the hub, should the checkpoint have left the cache. */
  readonly hub?: { readonly token?: string; readonly offline?: boolean };
}

export class Source {
  readonly files: ReadonlyMap<string, BlobRef>;
  #folder: Promise<string> | undefined;
  #found: string | undefined;

  constructor(private readonly request: SourceRequest, private readonly layout: Pick<ModelLayout, 'root'>, private readonly lock: Pick<Lock, 'source'>) {
    this.files = new Map(Object.entries(lock.source.files));
    if (lock.source.kind === 'folder') this.#found = resolve(layout.root, lock.source.location);
  }

  /** Absolute folder of the checkpoint, whose files have the digests of the lock. @throws STAGE_SOURCE_CHANGED */
  folder(): Promise<string> {
    return (this.#folder ??= this.#verified());
  }

  /** Makes `pathOf` know where the files are; those of a folder beside the recipe it knows without looking. */
  async locate(): Promise<void> {
    if (this.#found === undefined) await this.folder();
  }

  /** True when the lock pins these bytes as a file of the checkpoint. */
  holds(external: BlobRef & { readonly location: string }): boolean {
    return this.files.get(external.location)?.sha256 === external.sha256;
  }

  /** Path of a checkpoint file, when it is the one that is meant and `locate` has been called. */
  pathOf(location: string, ref: BlobRef): string | undefined {
    if (this.#found === undefined || this.files.get(location)?.sha256 !== ref.sha256) return undefined;
    return join(this.#found, location);
  }

  projectFile(relative: string): string {
    return resolve(this.layout.root, relative);
  }

  async #verified(): Promise<string> {
    const { locateSource } = await import('./locate-source.js');
    const { folder } = await locateSource(this.lock.source, { ...this.request, baseFolder: this.layout.root });
    const digests = openFileDigests(this.request.cacheRoot);
    const pinned = [...this.files];
    let next = 0;
    for await (const found of digests.each(pinned.map(([name]) => join(folder, name)), this.request.reporter, this.request.signal)) {
      const [name, pin] = pinned[next++] as [string, BlobRef];
      if (found.sha256 === pin.sha256) continue;
      throw stageError('STAGE_SOURCE_CHANGED', {
        what: `${name} of the checkpoint is not the file that recipe.lock.json pins`,
        why: `its sha256 is ${found.sha256.slice(0, 16)}…, the lock says ${pin.sha256.slice(0, 16)}…`,
        evidence: { path: join(folder, name) },
        fix: 'restore the file, or write the lock again: npx nx g @tundish/nx:lock',
      });
    }
    if (this.request.remember !== false) await digests.save();
    this.#found = folder;
    return folder;
  }
}
