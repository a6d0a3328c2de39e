/** Digests of the files that `quantize.source` names, and of those that an ONNX file keeps its weights in. */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { messageOf } from '@tundish/diagnostics';
import type { QuantizeSourcePins, Recipe } from '@tundish/recipe/resolve';
import type { BlobRef, FileDigests } from '@tundish/store';
import { stageError } from './errors.js';
import { readMemo, writeMemo } from './memo-file.js';

export interface PinRequest {
  readonly recipe: Recipe;
  /** Folder of the model project. */
  readonly root: string;
  readonly cacheRoot: string;
  readonly digests: FileDigests;
  /** False leaves what is remembered in the cache as it is. */
  readonly remember: boolean;
  readonly signal?: AbortSignal;
}

/**
 * What a lock needs to know of the files; undefined where the recipe has no such source or the encodings are not there.
 *
 * @throws ONNX_* for a file that is no model, or whose data are not there; STAGE_REQUIRES, STORE_*
 */
export async function pinQuantizeSource({ recipe: { quantize }, root, cacheRoot, digests, remember, signal }: PinRequest): Promise<QuantizeSourcePins | undefined> {
  if (quantize === 'none' || quantize.source === undefined) return undefined;
  const { source } = quantize;
  const encodings = await digestIfThere(digests, resolve(root, source.encodings), signal);
  if (encodings === undefined) return undefined;
  const path = source.onnx === undefined ? undefined : resolve(root, source.onnx);
  const onnx = path === undefined ? undefined : await digestIfThere(digests, path, signal);
  if (path === undefined || onnx === undefined) return { encodings };
  const data: Record<string, BlobRef> = {};
  for (const location of await dataFiles(path, onnx.sha256, cacheRoot, remember)) data[location] = await digests.digest(join(dirname(path), location), signal);
  return { encodings, onnx: { ...onnx, data } };
}

/** Digest of a file; undefined when there is none, which is the recipe's error to report, with the line that names it. */
export async function digestIfThere(digests: FileDigests, path: string, signal: AbortSignal | undefined): Promise<BlobRef | undefined> {
  try {
    return await digests.digest(path, signal);
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
    if (cause?.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Remembered by the digest of the ONNX file, which may be large and is looked at on every command. */
async function dataFiles(path: string, digest: string, cacheRoot: string, remember: boolean): Promise<readonly string[]> {
  const memo = join(cacheRoot, 'onnx-data.json');
  const known = readMemo<readonly string[]>(memo);
  const remembered = known.get(digest);
  if (remembered !== undefined) return remembered;
  const { decodeModel, externalLocations } = await import('@tundish/graph');
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw stageError('STAGE_REQUIRES', { what: `the ONNX file of quantize.source cannot be read: ${messageOf(cause)}`, evidence: { path }, fix: 'save it with external data: a file of more than 2 GiB is no ONNX file', cause });
  });
  const locations = [...externalLocations(decodeModel(bytes, { path, declaredShapes: true, checkExternal: dirname(path) }))].sort();
  if (remember) await writeMemo(memo, [...known, [digest, locations]]).catch(() => undefined);
  return locations;
}
