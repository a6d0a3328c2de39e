/** The action cache: results of stages under the key of everything they depend on, laid out for a person to read. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, open, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { type ActionEntry, encodeActionEntry } from './action-entry.js';
import type { ToolIdentity } from './action-key.js';
import type { JsonValue } from './canonical-json.js';
import { writeThenRename } from './durable-write.js';
import { INFO_FILE, MANIFEST_FILE, STORE_NAMES } from './entry-folders.js';
import { diskError, errnoOf, storeError } from './errors.js';
import { makeFolder } from './make-folder.js';
import { decodeManifest, encodeManifest } from './manifest.js';
import type { StageManifest, StageOutput } from './manifest.js';
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
  /** sha256 of outputs that other actions made: handed on unread, they need not be in the store. */
  readonly handedOn?: ReadonlySet<string>;
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
  /** The manifest of an entry that is not damaged, whether its files are in the store or not. */
  peekManifest(operation: string, key: string): StageManifest | undefined;
  /** As `lookup`, of an entry whose files came into the store after it: their names are put into the entry. */
  lookupCompleted(operation: string, key: string): Promise<StageManifest | undefined>;
  /** The entry as other machines take it. @throws STORE_SIDECAR_INVALID and the disk errors when there is none */
  encodedEntry(operation: string, key: string): Uint8Array;
  /** Stores what another machine made, without its files: those that are here get their names in the entry. An entry that is there is kept. */
  adopt(entry: ActionEntry): Promise<StageManifest>;
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

/** What an entry's folder is made of. */
interface EntryContent {
  readonly manifest: StageManifest;
  readonly manifestText: string | Uint8Array;
  readonly infoText: string;
  /** Whether an output need not be in the store. */
  readonly mayLack: (output: StageOutput) => boolean;
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
    const manifest = this.peekManifest(operation, key);
    return manifest !== undefined && this.#isWhole(manifest, this.entryPath(operation, key)) ? manifest : undefined;
  }

  peekManifest(operation: string, key: string): StageManifest | undefined {
    const entry = this.entryPath(operation, key);
    try {
      // Two small files, at once: a turn through the thread pool takes longer than reading them.
      const bytes = readFileSync(join(entry, MANIFEST_FILE));
      const sidecar = decodeSidecar(readFileSync(join(entry, INFO_FILE), 'utf8'), entry);
      if (sidecar.hash !== key || sidecar.operation !== operation || sidecar.manifest !== sha256(bytes)) return undefined;
      return decodeManifest(bytes, join(entry, MANIFEST_FILE));
    } catch {
      // Whatever is wrong with an entry, the answer is to do the work again; publish replaces it.
      return undefined;
    }
  }

  async lookupCompleted(operation: string, key: string): Promise<StageManifest | undefined> {
    const manifest = this.peekManifest(operation, key);
    if (manifest === undefined || !manifest.outputs.every((output) => this.#store.has(output))) return undefined;
    const entry = this.entryPath(operation, key);
    // Beside another process that does the same, or where names cannot be added, the lookup has the answer.
    for (const output of manifest.outputs) if (!existsSync(join(entry, output.name))) await this.#store.link(output, join(entry, output.name)).catch(() => undefined);
    return this.lookup(operation, key);
  }

  encodedEntry(operation: string, key: string): Uint8Array {
    const entry = this.entryPath(operation, key);
    try {
      return encodeActionEntry({ key, operation, manifestText: readFileSync(join(entry, MANIFEST_FILE), 'utf8'), infoText: readFileSync(join(entry, INFO_FILE), 'utf8') });
    } catch (error) {
      throw diskError(error, 'read a cache entry', entry);
    }
  }

  adopt({ operation, key, manifest, manifestText, infoText }: ActionEntry): Promise<StageManifest> {
    const find = (): Promise<StageManifest | undefined> => Promise.resolve(this.peekManifest(operation, key));
    return this.#place(operation, key, { manifest, manifestText, infoText, mayLack: () => true }, find);
  }

  publish(operation: string, key: string, { manifest, info, handedOn }: ActionResult): Promise<StageManifest> {
    const bytes = encodeManifest(manifest);
    const document: EntryContent = {
      manifest, manifestText: bytes,
      infoText: encodeSidecar(sidecarOf(operation, key, sha256(bytes), manifest, info)),
      mayLack: (output) => handedOn?.has(output.sha256) === true,
    };
    return this.#place(operation, key, document, () => this.lookup(operation, key));
  }

  async #place(operation: string, key: string, content: EntryContent, find: () => Promise<StageManifest | undefined>): Promise<StageManifest> {
    const entry = this.entryPath(operation, key);
    const present = await find();
    if (present !== undefined) return present;
    try {
      return await this.#store.withScratch(async (scratch) => {
        const built = join(scratch, 'entry');
        await this.#build(built, content);
        await makeFolder(this.#folder);
        return (await placeFolder(built, entry, scratch, find)) ?? content.manifest;
      });
    } catch (error) {
      throw diskError(error, 'publish a cache entry', entry);
    }
  }

  async #build(folder: string, { manifest, manifestText, infoText, mayLack }: EntryContent): Promise<void> {
    await mkdir(folder);
    for (const output of manifest.outputs) if (this.#store.has(output) || !mayLack(output)) await this.#store.link(output, join(folder, output.name));
    await writeSynced(join(folder, MANIFEST_FILE), manifestText);
    await writeSynced(join(folder, INFO_FILE), infoText);
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  }

  /** A person reads the links of the entry: they must be whole too, not only the blobs. */
  #isWhole(manifest: StageManifest, entry: string): boolean {
    try {
      return manifest.outputs.every((output) => this.#store.has(output) && statSync(join(entry, output.name)).size === output.size);
    } catch {
      return false;
    }
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
