/** A clock that goes backwards, times that lie, and changes that times cannot show. */
import { chmodSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileDigests, sha256 } from '@tundish/store';
import { build, buildOrThrow, ranIn } from './build.mjs';
import { copyWorkspace, differences, entriesOf, filesBelow, leftovers, makeWorkspace, newFolder, results } from './workspace.mjs';

const DAY_MS = 24 * 60 * 60 * 1000;
const RACES = 200;

export function clockCases(whole) {
  return {
    'clock a day back after a kill': () => shifted(whole, -DAY_MS),
    'clock a day ahead after a kill': () => shifted(whole, DAY_MS),
    'every file of the store dated a day ahead': () => dated(whole, DAY_MS),
    'every file of the store dated to 1970': () => dated(whole, -Date.now()),
    'checkpoint dated a day ahead': () => checkpointDated(whole),
    [`a file changed ${RACES} times within a clock tick, same size and date`]: () => racy(),
  };
}

/** What a build left before the clock was set is used after it, and nothing of it stays. */
async function shifted(whole, ms) {
  const workspace = makeWorkspace();
  const first = await build(workspace, { atOperation: Math.floor(whole.operations * 0.6) });
  const attempt = await buildOrThrow(workspace, { env: { CLOCK_SHIFT_MS: String(ms) } });
  const finished = new Set(first.events.filter(({ ended }) => ended !== undefined).map(({ ended }) => ended));
  const again = ranIn(attempt).filter((unit) => finished.has(unit));
  const last = await buildOrThrow(workspace);
  const faults = [...again.map((unit) => `${unit} ran again`), ...ranIn(last).map((unit) => `${unit} ran again when the clock was right`), ...differences(results(workspace), whole.results), ...leftovers(workspace)];
  return { faults, found: `${finished.size} units found, ${ranIn(attempt).length} run, equal digests` };
}

async function dated(whole, ms) {
  const workspace = copyWorkspace(whole.workspace);
  for (const file of filesBelow(workspace.cache)) date(join(workspace.cache, file), ms);
  for (const entry of entriesOf(workspace.cache)) date(join(workspace.cache, entry), ms);
  const attempt = await buildOrThrow(workspace);
  const faults = [...ranIn(attempt).map((unit) => `${unit} ran again`), ...differences(results(workspace), whole.results)];
  return { faults, found: 'nothing run again, equal digests' };
}

async function checkpointDated(whole) {
  const workspace = copyWorkspace(whole.workspace);
  date(join(workspace.model, 'checkpoint/model.safetensors'), DAY_MS);
  const attempt = await buildOrThrow(workspace);
  return { faults: [...ranIn(attempt).map((unit) => `${unit} ran again`), ...differences(results(workspace), whole.results)], found: 'nothing run again, equal digests' };
}

function date(path, ms) {
  const time = (Date.now() + ms) / 1000;
  const { mode } = statSync(path);
  chmodSync(path, mode | 0o200);
  utimesSync(path, time, time);
  chmodSync(path, mode);
}

/** Digest, change, digest: the file system may give both states the same times. */
async function racy() {
  const root = newFolder();
  const path = join(root, 'weights');
  let wrong = 0;
  let sameTimes = 0;
  for (let i = 0; i < RACES; i++) {
    writeFileSync(path, `content ${i % 10} before`);
    const before = statSync(path, { bigint: true });
    const digests = openFileDigests(root);
    await digests.digest(path);
    await digests.save();
    writeFileSync(path, `content ${i % 10} behind`);
    const after = statSync(path, { bigint: true });
    if (before.ctimeNs === after.ctimeNs && before.mtimeNs === after.mtimeNs) sameTimes += 1;
    else utimesSync(path, Number(before.atimeMs) / 1000, Number(before.mtimeMs) / 1000);
    const { sha256: digest } = await openFileDigests(root).digest(path);
    if (digest !== sha256(`content ${i % 10} behind`)) wrong += 1;
  }
  return { faults: wrong === 0 ? [] : [`${wrong} old digests were given for new bytes`], found: `always the digest of the new bytes; ${sameTimes} changes left the times as they were` };
}
