/** The action cache: results of stages under the key of everything they depend on, laid out for a person to read. */
import { statSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { z } from 'zod';
import type { ToolIdentity } from './action-key.js';
import { canonicalJson } from './canonical-json.js';
import { writeThenRename } from './durable-write.js';
import { diskError, storeError } from './errors.js';
import { makeFolder } from './make-folder.js';
import { decodeManifest, encodeManifest } from './manifest.js';
import type { StageManifest } from './manifest.js';
import { placeFolder } from './place-folder.js';
import { isSha256, sha256 } from './sha256.js';
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
  readonly wallSeconds: number;
  readonly peakRssBytes: number;
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
   * missing or of the wrong size, as a blob or in the entry.
   *
   * @param key 64 hexadecimal digits
   */
  lookup(operation: string, key: string): Promise<StageManifest | undefined>;
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

const MANIFEST_FILE = 'stage.json';
const INFO_FILE = 'builder_cache_info.json';
/** What else lies in the cache root. */
const STORE_NAMES = new Set(['blobs', 'imports', 'tmp', 'file-digests.json']);

/** The fields of the sidecar that `lookup` relies on. */
const sidecarSchema = z.object({ operation: z.string(), hash: z.string(), manifest: z.string() });

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
    const entry = this.entryPath(operation, key);
    try {
      const [info, bytes] = await Promise.all([readFile(join(entry, INFO_FILE), 'utf8'), readFile(join(entry, MANIFEST_FILE))]);
      const sidecar = sidecarSchema.parse(JSON.parse(info));
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
    await writeSynced(join(folder, INFO_FILE), `${canonicalJson(sidecarOf(operation, key, sha256(bytes), manifest, info), 2)}\n`);
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  }
}

/** Field names as users of the vendor's builder know them. */
function sidecarOf(operation: string, key: string, manifestSha256: string, manifest: StageManifest, info: ActionInfo): object {
  return {
    operation,
    source: info.source,
    config: info.config,
    hash: key,
    created_at: info.createdAt,
    tool: info.tool ?? null,
    inputs: info.inputs,
    outputs: Object.fromEntries(manifest.outputs.map((output) => [output.name, output.sha256])),
    manifest: manifestSha256,
    wall_seconds: info.wallSeconds,
    peak_rss_bytes: info.peakRssBytes,
  };
}

async function writeSynced(path: string, content: Uint8Array | string): Promise<void> {
  await writeThenRename(`${path}.new`, path, 0o644, (file) => file.writeFile(content));
}

function checkName(name: string, what: string): void {
  if (/^[A-Za-z0-9][\w.-]{0,99}$/.test(name)) return;
  throw storeError('STORE_ACTION_NAME', { what: `${printable(name)} cannot name the cache folder of a ${what}`, why: 'only letters, digits, dot, dash and underscore are allowed, with a letter or digit first', fix: `rename the ${what}` });
}
