/** The action cache: results of stages under the key of everything they depend on, laid out for a person to read. */
import { readFileSync, statSync } from 'node:fs';
import { mkdir, open, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '@tundish/diagnostics';
import type { ToolIdentity } from './action-key.js';
import type { JsonValue } from './canonical-json.js';
import { writeThenRename } from './durable-write.js';
import { INFO_FILE, MANIFEST_FILE, STORE_NAMES } from './entry-folders.js';
import { diskError, errnoOf, storeError } from './errors.js';
import { makeFolder } from './make-folder.js';
import { decodeManifest, encodeManifest } from './manifest.js';
import type { StageManifest } from './manifest.js';
import { placeFolder } from './place-folder.js';
import { isSha256, sha256 } from './sha256.js';
import { decodeSidecar, encodeSidecar, sidecarOf } from './sidecar.js';
import type { Store } from './store.js';

/** How a result was made, for a person who reads builder_cache_info.json. */
export interface ActionInfo {
  /** The main thing that the action read. */
  readonly source: string;
  /** What was hashed: `ActionKey.fields`. */
  readonly config: Readonly<Record<string, string>>;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly tool?: ToolIdentity;
  /** sha256 of what the action read, by name. */
  readonly inputs: Readonly<Record<string, string>>;
  /** What else is needed to run the action again. */
  readonly request?: JsonValue;
  readonly wallSeconds: number;
  /** Of all threads of this process. */
  readonly cpuSeconds?: number;
  readonly memory: ActionMemory;
}

/** Resident memory of the process that made a result, bytes. */
export interface ActionMemory {
  /** What the action was expected to need, from shapes alone; null when nobody knew. */
  readonly declared: number | null;
  readonly measured: number;
  /** Whether `measured` was reached during this action, or by the process at the latest then. */
  readonly of: 'unit' | 'process';
  /** What the user allowed; null without a limit. */
  readonly limit: number | null;
}

export interface ActionResult {
  readonly manifest: StageManifest;
  readonly info: ActionInfo;
}

export interface ActionCache {
  /** The folder of an entry, whether it exists or not. */
  entryPath(operation: string, key: string): string;
  /**
   * A stored result, or undefined when there is none that is whole: entry damaged, of another schema or key, or an output
   * missing or of the wrong size, as a blob or in the entry. An entry that is served counts as used now.
   *
   * @param key 64 hexadecimal digits
   */
  lookup(operation: string, key: string): Promise<StageManifest | undefined>;
  /** As `lookup`, for a look that is no use. */
  peek(operation: string, key: string): StageManifest | undefined;
  /**
   * Stores a result whose blobs are in the store already. A whole entry that is there is kept and its manifest returned, so that
   * processes that publish one key at once agree.
   *
   * @throws STORE_BLOB_MISSING, STORE_BLOB_SIZE, STORE_DISK_FULL and the other disk errors; nothing is left behind then
   */
  publish(operation: string, key: string, result: ActionResult): Promise<StageManifest>;
}

/**
 * Opens the cache of one model inside a store: `<root>/<model>/<operation>_<first 32 digits of the key>/`.
 *
 * @throws STORE_ACTION_NAME when `model` cannot be a folder name
 */
export function openActionCache(store: Store, model: string): ActionCache {
  checkName(model, 'model');
  if (STORE_NAMES.has(model)) throw storeError('STORE_ACTION_NAME', { what: `a model cannot be named ${model}`, why: 'the store has a folder of that name', fix: 'rename the model' });
  return new FolderActionCache(store, join(store.root, model));
}

class FolderActionCache implements ActionCache {
  readonly #store: Store;
  readonly #folder: string;

  constructor(store: Store, folder: string) {
    this.#store = store;
    this.#folder = folder;
  }

  entryPath(operation: string, key: string): string {
    checkName(operation, 'operation');
    if (!isSha256(key)) throw storeError('STORE_SHA256', { what: 'an action key is 64 lower-case hexadecimal digits', evidence: { detail: operation } });
    return join(this.#folder, `${operation}_${key.slice(0, 32)}`);
  }

  async lookup(operation: string, key: string): Promise<StageManifest | undefined> {
    const found = this.peek(operation, key);
    return found !== undefined && (await isMarkedUsed(join(this.entryPath(operation, key), INFO_FILE))) ? found : undefined;
  }

  peek(operation: string, key: string): StageManifest | undefined {
    const entry = this.entryPath(operation, key);
    try {
      // Two small files, at once: a turn through the thread pool takes longer than reading them.
      const bytes = readFileSync(join(entry, MANIFEST_FILE));
      const sidecar = decodeSidecar(readFileSync(join(entry, INFO_FILE), 'utf8'), entry);
      if (sidecar.hash !== key || sidecar.operation !== operation || sidecar.manifest !== sha256(bytes)) return undefined;
      const manifest = decodeManifest(bytes, join(entry, MANIFEST_FILE));
      // A person reads the links of the entry: they must be whole too, not only the blobs.
      const isWhole = manifest.outputs.every((output) => this.#store.has(output) && statSync(join(entry, output.name)).size === output.size);
      return isWhole ? manifest : undefined;
    } catch {
      // Whatever is wrong with an entry, the answer is to do the work again; publish replaces it.
      return undefined;
    }
  }

  async publish(operation: string, key: string, result: ActionResult): Promise<StageManifest> {
    const entry = this.entryPath(operation, key);
    const present = await this.lookup(operation, key);
    if (present !== undefined) return present;
    try {
      return await this.#store.withScratch(async (scratch) => {
        const built = join(scratch, 'entry');
        await this.#build(built, operation, key, result);
        await makeFolder(this.#folder);
        return (await placeFolder(built, entry, scratch, () => this.lookup(operation, key))) ?? result.manifest;
      });
    } catch (error) {
      throw diskError(error, 'publish a cache entry', entry);
    }
  }

  async #build(folder: string, operation: string, key: string, { manifest, info }: ActionResult): Promise<void> {
    await mkdir(folder);
    for (const output of manifest.outputs) await this.#store.link(output, join(folder, output.name));
    const bytes = encodeManifest(manifest);
    await writeSynced(join(folder, MANIFEST_FILE), bytes);
    await writeSynced(join(folder, INFO_FILE), encodeSidecar(sidecarOf(operation, key, sha256(bytes), manifest, info)));
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  }
}

/** `gc` leaves alone what was used lately. @returns false when the entry has just been taken away */
async function isMarkedUsed(path: string): Promise<boolean> {
  const now = new Date();
  // A store that cannot be written still serves.
  return utimes(path, now, now).then(() => true, (error: unknown) => errnoOf(error) !== 'ENOENT');
}

async function writeSynced(path: string, content: Uint8Array | string): Promise<void> {
  await writeThenRename(`${path}.new`, path, 0o644, (file) => file.writeFile(content));
}

function checkName(name: string, what: string): void {
  if (/^[A-Za-z0-9][\w.-]{0,99}$/.test(name)) return;
  throw storeError('STORE_ACTION_NAME', { what: `${printable(name)} cannot name the cache folder of a ${what}`, why: 'only letters, digits, dot, dash and underscore are allowed, with a letter or digit first', fix: `rename the ${what}` });
}
