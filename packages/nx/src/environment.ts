/** Everything that the plugin reads from the environment. */
import { availableParallelism, homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { isCI } from 'nx/src/utils/is-ci.js';

/** True where Nx itself believes to run in continuous integration. */
export function inContinuousIntegration(): boolean {
  return Boolean(isCI());
}

/** Folder of the store: `.tundish/cache` of the workspace, or where TUNDISH_CACHE_ROOT moves it (relative to the workspace). */
export function cacheRootOf(workspaceRoot: string): string {
  const moved = process.env['TUNDISH_CACHE_ROOT'];
  if (moved === undefined || moved === '') return join(workspaceRoot, '.tundish', 'cache');
  return isAbsolute(moved) ? moved : join(workspaceRoot, moved);
}

/** Where Hugging Face tools keep checkpoints: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. */
export function hubCacheOf(): string {
  const { HF_HUB_CACHE: cache, HF_HOME: home } = process.env;
  if (cache !== undefined && cache !== '') return cache;
  return join(home !== undefined && home !== '' ? home : join(homedir(), '.cache', 'huggingface'), 'hub');
}

/** Access to the hub: HF_TOKEN and HF_HUB_OFFLINE. */
export function hubAccess(): { readonly token?: string; readonly offline: boolean } {
  const { HF_TOKEN: token, HF_HUB_OFFLINE: offline } = process.env;
  return { offline: offline === '1' || offline === 'true', ...(token === undefined || token === '' ? {} : { token }) };
}

/** Threads of numeric work: TUNDISH_THREADS, else all cores. Never changes a result, so it is no option of a target. */
export function threadsOf(): number {
  const asked = Number(process.env['TUNDISH_THREADS']);
  return Number.isInteger(asked) && asked > 0 ? asked : availableParallelism();
}

/** One `nx run`: its id and its start in milliseconds since 1970. */
export interface RunIdentity {
  readonly id: string;
  readonly startedAt: number;
}

/** Gives this run to all tasks of it. */
export function announceRun(run: RunIdentity): void {
  process.env['TUNDISH_RUN'] = `${run.id}@${run.startedAt}`;
}

/** The run that this task belongs to; undefined when the executor was not started by `nx run`. */
export function currentRun(): RunIdentity | undefined {
  const match = /^([\w-]+)@(\d+)$/.exec(process.env['TUNDISH_RUN'] ?? '');
  return match === null ? undefined : { id: match[1] as string, startedAt: Number(match[2]) };
}
