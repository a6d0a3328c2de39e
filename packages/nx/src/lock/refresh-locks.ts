/** Runs before the tasks of every `nx run`: brings each lock up to date, or says why it cannot. */
import { join } from 'node:path';
import { encodeLock, lockDifferences } from '@tundish/recipe/lock';
import type { Lock } from '@tundish/recipe/lock';
import { sha256, writeFileAtomic } from '@tundish/store';
import { nxError } from '../errors.js';
import { LOCK_FILE } from '../model-folders.js';
import type { ModelFolder } from '../model-folders.js';
import { readLockFile } from './lock-file.js';
import { announceCode } from './announce-code.js';
import { announceState } from './model-state.js';
import { resolveModel } from './resolve-model.js';

/** How many differences of a stale lock are listed. */
const SHOWN_DIFFERENCES = 12;

/** What the command line says about a model: it is named as `MODEL:TARGET`, its tasks may be among those that run, or nothing. */
export type Interest = 'named' | 'possible' | 'none';

/** A model whose tasks may run. */
interface Ready {
  readonly root: string;
  readonly lock: Lock;
}

/**
 * Outside CI: rewrites each lock that its recipe, checkpoint, calibration text or tools have left behind, before Nx hashes any task.
 * A recipe that cannot be resolved refuses the tasks of its own model only.
 *
 * @throws the fault of a recipe when the command names its model, which spares the start of a task that could only say the same
 */
export async function refreshLocks(workspaceRoot: string, models: readonly ModelFolder[], interest: (model: ModelFolder) => Interest): Promise<void> {
  const ready: Ready[] = [];
  for (const model of models) {
    const wanted = interest(model);
    const { lock, problem } = await resolveModel(workspaceRoot, model, wanted !== 'none');
    if (lock === undefined) {
      if (wanted === 'named') throw problem;
      announceState(model.root, { kind: 'refused', problem });
      continue;
    }
    const bytes = Buffer.from(encodeLock(lock));
    const onDisk = readLockFile(workspaceRoot, model.root);
    if (onDisk === undefined || !bytes.equals(onDisk.bytes)) await writeFileAtomic(join(workspaceRoot, model.root, LOCK_FILE), bytes);
    announceState(model.root, onDisk === undefined ? { kind: 'new-lock', sha256: sha256(bytes) } : { kind: 'ready' });
    ready.push({ root: model.root, lock });
  }
  await announceCode(workspaceRoot, ready);
}

/**
 * In CI nothing is written: what was committed is what is built. A model whose recipe cannot be resolved, because of a fault or
 * because its checkpoint was never fetched here, stops the command that names it; in others its tasks fail with the reason.
 *
 * @throws NX_LOCK_STALE with the differences, or the fault of a named recipe, before any task or cache hit
 */
export async function assertLocksAreCurrent(workspaceRoot: string, models: readonly ModelFolder[], interest: (model: ModelFolder) => Interest): Promise<void> {
  const ready: Ready[] = [];
  for (const model of models) {
    const { lock, problem } = await resolveModel(workspaceRoot, model, false);
    if (lock === undefined) {
      if (interest(model) === 'named') throw problem;
      announceState(model.root, { kind: 'refused', problem });
      continue;
    }
    const onDisk = readLockFile(workspaceRoot, model.root)?.lock;
    const differences = onDisk === undefined ? ['there is no lock that this version reads'] : lockDifferences(onDisk, lock).map(describeDifference);
    if (differences.length > 0) throw staleLock(model, differences);
    announceState(model.root, { kind: 'ready' });
    ready.push({ root: model.root, lock });
  }
  await announceCode(workspaceRoot, ready);
}

function describeDifference({ path, before, after }: ReturnType<typeof lockDifferences>[number]): string {
  return `${path}: ${before ?? 'absent'} in the lock, ${after ?? 'absent'} now`;
}

function staleLock(model: ModelFolder, differences: readonly string[]): Error {
  const shown = differences.slice(0, SHOWN_DIFFERENCES);
  if (differences.length > shown.length) shown.push(`and ${differences.length - shown.length} more`);
  return nxError('NX_LOCK_STALE', {
    what: `${model.root}/${LOCK_FILE} does not match its recipe, checkpoint or tools`,
    why: 'in CI a lock is never rewritten: what was reviewed is what is built',
    evidence: { path: `${model.root}/${LOCK_FILE}`, stderr: shown },
    fix: `run locally: npx nx g @tundish/nx:lock ${model.name}, and commit ${LOCK_FILE}`,
  });
}
