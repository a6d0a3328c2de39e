/** What each task of a run leaves for the summary: a task without a record was answered by Nx's own cache. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunIdentity } from '../environment.js';
import type { RunMarks } from '@tundish/remote';
import type { StageRun } from '@tundish/stages';

const RUNS_FOLDER = join('.tundish', 'runs');
/** Folders of earlier runs that are kept, for a look at what happened. */
const KEPT_RUNS = 10;

export type RunRecord = StageRun & { readonly task: string };

/** Notes that a task did not come from Nx's cache. @param task for example `llama32/part1of2:compile` */
export function writeRecord(workspaceRoot: string, run: RunIdentity, record: RunRecord): void {
  const folder = runFolder(workspaceRoot, run);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${encodeURIComponent(record.task)}.json`);
  // A task may be killed while it writes, and the summary may be reading.
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(record));
  renameSync(temporary, path);
}

/** True for the first task of the run that is about to work on the model: it looks whether the build can succeed, and no other does. */
export function claimPreflight(workspaceRoot: string, run: RunIdentity, model: string): boolean {
  return claim(runFolder(workspaceRoot, run), `preflight ${encodeURIComponent(model)}`);
}

/** What the tasks of a run tell each other about the remote cache. */
export function remoteMarks(workspaceRoot: string, run: RunIdentity): RunMarks {
  const folder = runFolder(workspaceRoot, run);
  return { isSet: (mark) => existsSync(join(folder, `remote ${mark}`)), set: (mark) => claim(folder, `remote ${mark}`) };
}

/** @returns whether this process was the first */
function claim(folder: string, name: string): boolean {
  mkdirSync(folder, { recursive: true });
  try {
    closeSync(openSync(join(folder, name), 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** The records of a run by task. */
export function readRecords(workspaceRoot: string, run: RunIdentity): Map<string, RunRecord> {
  const folder = runFolder(workspaceRoot, run);
  const records = new Map<string, RunRecord>();
  for (const file of listIfThere(folder).filter((name) => name.endsWith('.json'))) {
    const record = JSON.parse(readFileSync(join(folder, file), 'utf8')) as RunRecord;
    records.set(record.task, record);
  }
  return records;
}

/** Removes the oldest folders; names start with the time, so their order is their age. */
export function pruneRuns(workspaceRoot: string): void {
  const folder = join(workspaceRoot, RUNS_FOLDER);
  for (const old of listIfThere(folder).sort().slice(0, -KEPT_RUNS)) rmSync(join(folder, old), { recursive: true, force: true });
}

function runFolder(workspaceRoot: string, run: RunIdentity): string {
  return join(workspaceRoot, RUNS_FOLDER, `${run.startedAt}-${run.id}`);
}

function listIfThere(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
