/** Builds of one model at the same time, in one workspace and over one store: all finish, with equal bytes, and leave no lock. */
import { join } from 'node:path';
import { build } from './build.mjs';
import { differences, leftovers, makeWorkspace, newFolder, partialResults, results } from './workspace.mjs';

export function concurrentCases(whole) {
  return {
    'two builds at once in one workspace': () => together(whole, twice(makeWorkspace())),
    'three builds at once over one store': () => together(whole, sharing(3)),
    'two builds at once, one of them killed': () => oneKilled(whole),
  };
}

/** One workspace for two builds; only what they report lies apart. */
function twice(workspace) {
  return [workspace, { ...workspace, folder: newFolder() }];
}

function sharing(count) {
  const cache = join(newFolder(), 'cache');
  return Array.from({ length: count }, () => makeWorkspace({ cache }));
}

async function together(whole, workspaces) {
  const attempts = await Promise.all(workspaces.map((workspace) => build(workspace)));
  const faults = attempts.filter(({ finished }) => !finished).map(({ error }) => error?.message ?? 'a build ended early');
  return { faults: [...faults, ...judged(whole, workspaces)], found: 'all finish, equal digests, no lock and no scratch is left' };
}

/** The survivor must neither wait for the dead one nor take what it left. */
async function oneKilled(whole, share = 2) {
  const [survivor, victim] = sharing(2);
  const [kept, killed] = await Promise.all([build(survivor), build(victim, { atOperation: Math.floor(whole.operations / share) })]);
  // A build that lags behind finds what the other made, and may end before so many operations: then it is killed earlier.
  if (!killed.killed && share < 16) return oneKilled(whole, 2 * share);
  const faults = [...(kept.finished ? [] : [kept.error?.message ?? 'the survivor ended early']), ...(killed.killed ? [] : ['the other was not killed'])];
  faults.push(...partialResults(victim, whole.results));
  const again = await build(victim);
  if (!again.finished) faults.push(again.error?.message ?? 'the build after the kill ended early');
  return { faults: [...faults, ...judged(whole, [survivor, victim])], found: 'the other finishes, and so does the next; equal digests' };
}

function judged(whole, workspaces) {
  return workspaces.flatMap((workspace) => [...differences(results(workspace), whole.results), ...leftovers(workspace)]);
}
