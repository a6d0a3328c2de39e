/** What the sidecar of a unit says beside the key and the inputs, so that the unit can be run again from the sidecar alone. */
import type { Lock, LockSource } from '@tundish/recipe/lock';
import type { JsonValue } from '@tundish/store';
import type { Unit } from '../plan.js';

/** The `request` of builder_cache_info.json. */
export interface ReplayRequest {
  readonly subject: string | null;
  /** What the stage gets, defaults filled in. */
  readonly options: unknown;
  /** Where the checkpoint lies and what is in it, as the lock pins it; a folder is relative to the model project. */
  readonly checkpoint: LockSource;
}

export function replayRequest({ subject }: Unit, options: unknown, { source }: Pick<Lock, 'source'>): JsonValue {
  return { subject, options, checkpoint: source } satisfies ReplayRequest as JsonValue;
}
