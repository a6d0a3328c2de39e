/** Which cache entry holds a result, and what its making took of memory: a manifest is the same on every machine and cannot say. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { formatBytes } from '@tundish/diagnostics';
import { isBuiltIn } from '@tundish/stages/workspace';
import { type EntryFolder, INFO_FILE, type Sidecar, type StageManifest, byLastUse, entryFolders, manifestDigest, readSidecar } from '@tundish/store';

export interface MadeBy {
  /** Absolute folder of the entry. */
  readonly entry: string;
  readonly sidecar: Sidecar;
}

/** @param digest of the manifest @returns undefined when the cache has no such result, or only a damaged entry of it */
export function resultIn(cacheRoot: string, model: string, stage: string, digest: string): MadeBy | undefined {
  return withManifest(entryFolders(cacheRoot, model, stage), digest);
}

/** As `resultIn`, of what a container was made from: a stage of the recipe's own may stand in the place of `stage`. */
export function sourceIn(cacheRoot: string, model: string, stage: string, digest: string): MadeBy | undefined {
  return resultIn(cacheRoot, model, stage, digest) ?? withManifest(entryFolders(cacheRoot, model).filter(({ operation }) => !isBuiltIn(operation)), digest);
}

function withManifest(entries: readonly EntryFolder[], digest: string): MadeBy | undefined {
  for (const { path } of byLastUse(entries)) {
    const sidecar = sidecarIn(path);
    if (sidecar?.manifest === digest) return { entry: path, sidecar };
  }
  return undefined;
}

/** Of a stage.json, which lies in its entry or below `out` of its model. */
export function makerOf(path: string, manifest: StageManifest, cacheRoot: string): MadeBy | undefined {
  const folder = dirname(path);
  const digest = manifestDigest(manifest);
  if (existsSync(join(folder, INFO_FILE))) {
    const sidecar = sidecarIn(folder);
    return sidecar?.manifest === digest ? { entry: folder, sidecar } : undefined;
  }
  const [, model] = /([^/\\]+)[/\\]out[/\\]/.exec(path) ?? [];
  return model === undefined ? undefined : resultIn(cacheRoot, model, manifest.stage, digest);
}

/** `200 MB declared, 143 MB measured`. */
export function memoryText({ declared, measured, of, limit }: Sidecar['memory']): string {
  const parts = [declared === null ? 'nothing declared' : `${formatBytes(declared)} declared`, `${formatBytes(measured)} measured${of === 'process' ? ' of the process until then' : ''}`];
  return [...parts, ...(limit === null ? [] : [`limit ${formatBytes(limit)}`])].join(', ');
}

function sidecarIn(entry: string): Sidecar | undefined {
  try {
    return readSidecar(entry);
  } catch {
    // A damaged entry serves nobody.
    return undefined;
  }
}
