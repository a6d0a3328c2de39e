/** recipe.lock.json: the recipe with every choice made and every input pinned; stages and Nx read nothing else of it. */
import { canonicalJson, leafDifferences, leavesOf } from '@tundish/store';
import type { LeafDifference } from '@tundish/store';
import type { z } from 'zod';
import type { customLock, deviceCompileLock, devicePackageLock, importLock, lockSchema, quantizeLock, sourceLock, weightsOnlyLock } from './lock-schema.js';

export type { CheckpointReference } from './source-reference.js';

/** Version of the form of a lock. */
export const LOCK_SCHEMA = 7;

/** A lock file; see the fields' own types below for the slice that each stage reads. */
export type Lock = z.infer<typeof lockSchema>;
/** What the lock says of each stage: `Lock['stages']`. */
export type LockStages = Lock['stages'];
export type StageName = keyof LockStages;
/** Options of a build whose scales were made elsewhere. */
export type SourceOptions = z.infer<typeof sourceLock>;
/** Options of a build with techniques; a floating-point build has `'none'` in their place. */
export type QuantizeOptions = z.infer<typeof weightsOnlyLock> | z.infer<typeof quantizeLock>;
/**
 * A stage of the user's own, by its name in `Lock.custom`. `reads` is the stage whose result it takes: `after`, or the custom
 * stage before it in the recipe; `code` is the sha256 of its module and of what that imports, packages by version.
 */
export type CustomStageLock = z.infer<typeof customLock>;
/** How parts are compiled for chips. */
export type DeviceCompileOptions = z.infer<typeof deviceCompileLock>;
/** How a bundle runs on a device. */
export type DevicePackageOptions = z.infer<typeof devicePackageLock>;
/** How a GGUF file becomes a checkpoint. */
export type ImportOptions = z.infer<typeof importLock>;
/** Where the checkpoint comes from and the digest of each of its files, by file name. */
export type LockSource = Lock['source'];

/** The stages in the order in which they run. */
export const STAGE_NAMES: readonly StageName[] = ['load', 'optimize', 'quantize', 'arcl', 'transform', 'convert', 'compile', 'package'];

/** The bytes of recipe.lock.json: canonical JSON with two spaces and a final newline, the same on every machine. */
export function encodeLock(lock: Lock): Uint8Array {
  return new TextEncoder().encode(`${canonicalJson(lock, 2)}\n`);
}

/** Where two locks differ, by dotted path with the canonical JSON of both sides; empty when they are equal. */
export function lockDifferences(before: Lock, after: Lock): LeafDifference[] {
  return leafDifferences(leavesOf(before), leavesOf(after));
}
