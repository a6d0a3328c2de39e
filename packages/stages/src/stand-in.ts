/**
 * What a committed lock says of files that are not on this machine, so that its recipe can be resolved without them: where every
 * result is on a remote cache, nobody reads the checkpoint. A file that is here is always compared, and never stood in for.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { GGUF_IMPORT_VERSION } from '@tundish/checkpoint/gguf/version';
import { TundishError } from '@tundish/diagnostics';
import type { Lock, LockSource } from '@tundish/recipe/lock';
import type { CheckpointReference, QuantizeSourcePins, Recipe } from '@tundish/recipe/resolve';
import type { BlobRef } from '@tundish/store';

/** What resolving a recipe needs of its checkpoint. */
export interface CheckpointFacts {
  readonly source: LockSource;
  readonly layers: number;
  readonly maxPositionEmbeddings: number;
}

const ABSENT: readonly string[] = ['CHECKPOINT_FOLDER_NOT_FOUND', 'HUB_OFFLINE', 'STAGE_SOURCE_MISSING'];

/** Whether an error of `locateSource` says that there is no checkpoint here at all. */
export function isAbsence(error: unknown): boolean {
  return error instanceof TundishError && ABSENT.includes(error.code);
}

/**
 * Undefined when the lock pins another place. A recipe that names a commit must name that of the lock; what a tag or a branch stands
 * for cannot be known here, so only one that is not named is taken to be what it was.
 */
export function checkpointStandIn({ source, limits }: Lock, reference: CheckpointReference, recipe: Recipe): CheckpointFacts | undefined {
  const place = reference.kind === 'folder' ? recipe.checkpoint : reference.location;
  if (limits === undefined || source.kind !== reference.kind || source.location !== place) return undefined;
  if (source.kind === 'hub' && reference.kind === 'hub' && reference.revision !== undefined && reference.revision !== source.revision) return undefined;
  return { ...limits, source: source.kind === 'gguf' ? { ...source, import: recipe.import, importer: GGUF_IMPORT_VERSION } : source };
}

/** The digest of the calibration text at this path, as the recipe names it. */
export function calibrationStandIn({ stages }: Lock, text: string): BlobRef | undefined {
  const { options } = stages.quantize;
  if (options === 'none' || options.calibration?.text !== text) return undefined;
  const { sha256, size } = options.calibration;
  return { sha256, size };
}

/** @param found what is here of the files that `quantize.source` names @param root folder of the model project */
export function quantizeSourceStandIn({ stages }: Lock, { quantize }: Recipe, found: QuantizeSourcePins | undefined, root: string): QuantizeSourcePins | undefined {
  const { options } = stages.quantize;
  const named = quantize === 'none' ? undefined : quantize.source;
  if (named === undefined || options === 'none' || !('source' in options)) return found;
  const { encodings, onnx } = options.source;
  if (encodings.path !== named.encodings || onnx?.path !== named.onnx) return found;
  // Without its encodings the ONNX file has not been looked at.
  if (found === undefined && named.onnx !== undefined && existsSync(resolve(root, named.onnx))) return undefined;
  const data = found?.onnx ?? onnx;
  return { encodings: found?.encodings ?? refOf(encodings), ...(data === undefined ? {} : { onnx: { ...refOf(data), data: data.data ?? {} } }) };
}

function refOf({ sha256, size }: BlobRef): BlobRef {
  return { sha256, size };
}
