/** Starts a build as a process of its own, ends it when told to, and says what happened. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, 'build-process.mjs');
const PRELOAD = join(import.meta.dirname, 'file-operations.mjs');
const TIME_LIMIT_MS = 180_000;

/**
 * @param options `afterMs`: SIGKILL so long after the lock was written; `atOperation`: in front of that change of the file system;
 *   `flags` of the program; `limit`: shell text in front of it; `env`
 * @returns `killed`, the events, and the error of the build when it has told one
 */
export async function build(workspace, options = {}) {
  const { afterMs, atOperation, flags = [], limit, env = {} } = options;
  const events = join(workspace.folder, 'events.jsonl');
  rmSync(events, { force: true });
  const args = ['--import', PRELOAD, PROGRAM, workspace.root, workspace.cache, events, ...flags];
  const [command, all] = limit === undefined ? [process.execPath, args] : ['bash', ['-c', `${limit}; exec "$0" "$@"`, process.execPath, ...args]];
  const child = spawn(command, all, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env, ...(atOperation === undefined ? {} : { KILL_AT_OPERATION: String(atOperation) }) } });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise((resolve) => void child.on('close', (code, signal) => resolve({ code, signal })));
  const started = performance.now();
  const limitTimer = setTimeout(() => child.kill('SIGKILL'), TIME_LIMIT_MS);
  if (afterMs !== undefined) killLater(child, events, afterMs);
  const { code, signal } = await ended;
  clearTimeout(limitTimer);
  const seconds = (performance.now() - started) / 1000;
  if (seconds * 1000 > TIME_LIMIT_MS) throw new Error(`a build did not end in ${TIME_LIMIT_MS / 1000} s: it waits for something`);
  const found = readEvents(events);
  const error = found.find((event) => event.error !== undefined)?.error;
  if (signal === null && code !== 0 && error === undefined) throw new Error(`a build ended with ${code} and without an error of its own:\n${stderr}`);
  return { killed: signal === 'SIGKILL', pid: child.pid, events: found, error, seconds, finished: found.at(-1)?.finished === true };
}

/** Builds, and throws what the build says when it does not finish. */
export async function buildOrThrow(workspace, options) {
  const result = await build(workspace, options);
  if (!result.finished) throw new Error(result.error?.message ?? 'the build ended early');
  return result;
}

/** Names of the units that a build did not find in the store. */
export function ranIn({ events }) {
  return events.filter(({ status }) => status === 'run').map(({ ended }) => ended);
}

async function killLater(child, events, afterMs) {
  while (child.exitCode === null && !readEvents(events).some(({ locked }) => locked)) await sleep(5);
  await sleep(afterMs);
  if (child.exitCode === null) child.kill('SIGKILL');
}

function sleep(ms) {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** The last line may be half written. */
function readEvents(path) {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
}
