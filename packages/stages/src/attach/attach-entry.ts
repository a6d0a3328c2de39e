/** Takes a cache entry from elsewhere into a cache: the intermediate that somebody else made is then a hit, as if it had been made here. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Reporter, printable } from '@tundish/diagnostics';
import { MANIFEST_FILE, type Sidecar, type StageManifest, type StageOutput, type Store, canonicalJson, decodeManifest, openActionCache, openStore, readSidecar, sha256, sha256File } from '@tundish/store';
import { stageError } from '../errors.js';
import { unitName } from '../plan.js';

export interface AttachRequest {
  /** Folder of the entry: `<any cache>/<any model>/<operation>_<32 hex>`, or a copy of it. */
  readonly entry: string;
  readonly cacheRoot: string;
  /** The model that is to have it: name of its folder. */
  readonly model: string;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

export interface AttachedEntry {
  /** A unit, or a piece of one: `quantize`, `convert/ar1-cl512-1of2`, `quantize-block/block-3`. */
  readonly unit: string;
  readonly status: 'attached' | 'present';
  /** Its folder in this cache. */
  readonly entry: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Everything is checked before anything is written: the key against what was hashed, the manifest and every file against their
 * digests. That the files are what the key stands for cannot be checked: whoever made the entry is believed.
 *
 * @throws STAGE_ATTACH_DAMAGED, STORE_SIDECAR_INVALID, STORE_MANIFEST_*, and the disk errors; nothing is left behind then
 */
export async function attachEntry({ entry: folder, cacheRoot, model, reporter, signal }: AttachRequest): Promise<AttachedEntry> {
  const from = resolve(folder);
  const { sidecar, manifest } = readEntry(from);
  const store = openStore(cacheRoot);
  const cache = openActionCache(store, model);
  const { operation, hash } = sidecar;
  const attached = { unit: unitName(manifest), entry: cache.entryPath(operation, hash), files: manifest.outputs.length, bytes: manifest.outputs.reduce((sum, { size }) => sum + size, 0) };
  if (cache.peek(operation, hash) !== undefined) return { ...attached, status: 'present' };
  const missing = manifest.outputs.filter((output) => !store.has(output));
  await checkFiles(from, missing, reporter, signal);
  for (const output of missing) await put(store, from, output, signal);
  const { source, config, created_at: createdAt, tool, inputs, request, wall_seconds: wallSeconds, cpu_seconds: cpuSeconds, memory } = sidecar;
  await cache.publish(operation, hash, {
    manifest,
    info: {
      source, config, createdAt, inputs, wallSeconds, memory,
      ...(tool === null ? {} : { tool }),
      ...(request === undefined ? {} : { request }),
      ...(cpuSeconds === undefined ? {} : { cpuSeconds }),
    },
  });
  return { ...attached, status: 'attached' };
}

function readEntry(folder: string): { readonly sidecar: Sidecar; readonly manifest: StageManifest } {
  const sidecar = readSidecar(folder);
  const file = join(folder, MANIFEST_FILE);
  if (!existsSync(file)) throw damaged(folder, `it has no ${MANIFEST_FILE}`);
  const bytes = readFileSync(file);
  const manifest = decodeManifest(bytes, file);
  if (sidecar.manifest !== sha256(bytes)) throw damaged(folder, 'stage.json is not the one that builder_cache_info.json names');
  if (sidecar.hash !== sha256(canonicalJson(sidecar.config))) throw damaged(folder, 'the key is not the digest of the fields that builder_cache_info.json lists');
  if (sidecar.config['stage'] !== JSON.stringify(sidecar.operation)) throw damaged(folder, 'its key is that of another operation');
  return { sidecar, manifest };
}

async function checkFiles(folder: string, outputs: readonly StageOutput[], reporter: Reporter, signal: AbortSignal): Promise<void> {
  for (const [done, { name, size, sha256: expected }] of outputs.entries()) {
    reporter.progress({ work: 'attach', label: 'files', done, total: outputs.length });
    const path = join(folder, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isFile() !== true) throw damaged(folder, `${printable(name)} is missing`);
    if (found.size !== size) throw damaged(folder, `${printable(name)} has ${found.size} bytes instead of ${size}`);
    if ((await sha256File(path, signal)) !== expected) throw damaged(folder, `${printable(name)} is not what stage.json names: its sha256 is another one`);
  }
  reporter.progress({ work: 'attach', label: 'files', done: outputs.length, total: outputs.length });
}

async function put(store: Store, folder: string, { name, sha256: expected }: StageOutput, signal: AbortSignal): Promise<void> {
  const { sha256: stored } = await store.putFile(join(folder, name), { signal });
  if (stored !== expected) throw damaged(folder, `${printable(name)} was changed while it was copied`);
}

function damaged(path: string, what: string): Error {
  return stageError('STAGE_ATTACH_DAMAGED', { what: `a cache entry is not attached: ${what}`, why: 'a build would take it for what its stage made', evidence: { path }, fix: 'copy the folder again, links followed, or build there again' });
}
