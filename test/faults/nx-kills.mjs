/** SIGKILL to a whole `nx run`, or to Nx alone, whose tasks must then end by themselves. */
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY, addNx, differences, leftovers, makeWorkspace, partialResults, results } from './workspace.mjs';

const NX = join(REPOSITORY, 'node_modules/nx/dist/bin/nx.js');
/** Tasks that were told to stop have this long. */
const END_MS = 60_000;

/** Kills `count` times: a run again and again until it finishes, then one in a new workspace. Every second time Nx alone. */
export async function nxKills({ count, random, whole }) {
  // Measured on this machine at this moment by a run that is not disturbed.
  const { workspace: reference, seconds } = await undisturbed();
  const tasks = recordsOf(reference).length;
  const total = { kills: 0, builds: 0, ran: 0, faults: [] };
  while (total.kills < count) {
    const workspace = await lockedWorkspace();
    const done = new Set();
    for (let finished = false; !finished; ) {
      const moment = total.kills < count ? { afterMs: (0.2 + 0.6 * random()) * seconds * 1000, all: total.kills % 2 === 0 } : {};
      const attempt = await nxRun(workspace, ['run', 'tiny:compile'], moment);
      finished = attempt.signal !== 'SIGKILL';
      if (finished && attempt.code !== 0) throw new Error(attempt.output);
      if (!finished) total.kills += 1;
      const fresh = recordsOf(workspace).filter(({ status, run }) => status === 'run' && !done.has(run));
      total.faults.push(...fresh.filter(({ task }) => done.has(task)).map(({ task }) => `${task} was finished and ran again`), ...partialResults(workspace, whole.results));
      for (const { task, run } of fresh) done.add(task).add(run);
      total.ran += fresh.length;
    }
    total.builds += 1;
    total.faults.push(...differences(results(workspace), whole.results), ...leftovers(workspace));
  }
  return { faults: total.faults, found: `${total.kills} kills of ${total.builds} builds, equal digests; no task that had finished ran again: ${total.ran} run to their end, ${total.builds * tasks} without kills` };
}

async function undisturbed() {
  const workspace = await lockedWorkspace();
  const { seconds, code, output } = await nxRun(workspace, ['run', 'tiny:compile'], {});
  if (code !== 0) throw new Error(output);
  return { workspace, seconds };
}

async function lockedWorkspace() {
  const workspace = makeWorkspace();
  addNx(workspace);
  const { code, output } = await nxRun(workspace, ['generate', '@tundish/nx:lock'], {});
  if (code !== 0) throw new Error(output);
  return workspace;
}

/** What finished tasks say of themselves; `run` names the record itself. */
function recordsOf({ root }) {
  const folder = join(root, '.tundish/runs');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((run) => readdirSync(join(folder, run)).filter((name) => name.endsWith('.json')).map((file) => ({ ...JSON.parse(readFileSync(join(folder, run, file), 'utf8')), run: `${run}/${file}` })));
}

async function nxRun({ root, folder }, args, { afterMs, all }) {
  const kept = Object.entries(process.env).filter(([name]) => !/^(NX_|npm_|TUNDISH_|CI$|FORCE_COLOR)/.test(name));
  const env = { ...Object.fromEntries(kept), CI: 'false', NO_COLOR: '1', NX_TUI: 'false', NX_DAEMON: 'false', NX_CACHE_DIRECTORY: join(folder, 'nx/cache'), NX_WORKSPACE_DATA_DIRECTORY: join(folder, 'nx/data') };
  const started = performance.now();
  const child = spawn(process.execPath, [NX, ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const ended = new Promise((resolve) => void child.on('exit', (code, signal) => resolve({ code, signal })));
  let below = [];
  const timer = afterMs === undefined ? undefined : setTimeout(() => {
    below = descendantsOf(child.pid);
    child.kill('SIGKILL');
    if (all) for (const pid of below) endProcess(pid);
  }, afterMs);
  const { code, signal } = await ended;
  clearTimeout(timer);
  await allEnded(below);
  return { code, signal, output, seconds: (performance.now() - started) / 1000 };
}

/** Every process below another, as the kernel has them. */
function descendantsOf(pid) {
  const parents = new Map();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${entry}/stat`, 'utf8');
      parents.set(Number(entry), Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const below = [pid];
  for (const parent of below) for (const [child, of] of parents) if (of === parent) below.push(child);
  return below.slice(1);
}

function endProcess(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

async function allEnded(pids) {
  const deadline = performance.now() + END_MS;
  while (pids.some((pid) => existsSync(`/proc/${pid}`))) {
    if (performance.now() > deadline) throw new Error('tasks of a killed Nx go on');
    await new Promise((resolve) => void setTimeout(resolve, 50));
  }
}
