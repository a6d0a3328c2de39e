/** SIGKILL at random moments of a build, again and again until it finishes: the result, the work that was lost, what was left. */
import { build, buildOrThrow, ranIn } from './build.mjs';
import { differences, entriesOf, leftovers, makeWorkspace, partialResults, results } from './workspace.mjs';

/** A build takes a part of its time before the lock is written, from where moments count: four fifths are left. */
const SHARE_AFTER_LOCK = 0.8;

/** A build that nothing disturbed: the measure of all others. */
export async function uninterrupted() {
  const workspace = makeWorkspace();
  const { events, seconds } = await buildOrThrow(workspace);
  // Files younger than two seconds are not remembered: only a second build writes down all digests.
  await buildOrThrow(workspace, { flags: ['--whole'] });
  const units = events.filter(({ status }) => status === 'run').length;
  return { workspace, results: results(workspace), seconds, units, blocks: enginesIn(events), operations: events.at(-1).operations };
}

/**
 * Kills builds `count` times: every second time by the clock, every second time in front of a change of the file system, where most can
 * go wrong. A build that finishes is compared, and the next begins in a new workspace.
 */
export async function kills({ count, random, whole }) {
  const total = { kills: 0, builds: 0, attempts: 0, units: 0, blocks: 0, faults: [] };
  while (total.kills < count) {
    const workspace = makeWorkspace();
    const done = new Set();
    for (let finished = false; !finished; ) {
      const blocksThere = blocksIn(workspace);
      const moment = total.kills >= count ? {} : total.attempts % 2 === 0 ? { afterMs: random() * SHARE_AFTER_LOCK * whole.seconds * 1000 } : { atOperation: 1 + Math.floor(random() * whole.operations) };
      const attempt = await build(workspace, moment);
      finished = !attempt.killed;
      total.attempts += 1;
      if (attempt.killed) total.kills += 1;
      addWork(total, attempt, done, blocksThere);
      const about = `kill ${total.kills}, ${JSON.stringify(moment)}`;
      total.faults.push(...partialResults(workspace, whole.results).map((fault) => `${about}: ${fault}`));
      if (attempt.error !== undefined) throw new Error(`${about}: the build failed:\n${attempt.error.message}`);
    }
    total.builds += 1;
    total.faults.push(...differences(results(workspace), whole.results), ...leftovers(workspace).map((file) => `${file} is left over`));
  }
  return total;
}

/** Adds the work of an attempt. A unit that was cut off counts as run; one that had finished before must not run again. */
function addWork(total, { events }, done, blocksThere) {
  const began = events.filter((event) => event.began !== undefined).map((event) => event.began);
  const ended = new Set(events.filter((event) => event.ended !== undefined).map((event) => event.ended));
  const ran = [...ranIn({ events }), ...began.filter((unit) => !ended.has(unit) && !done.has(unit))];
  total.units += ran.length;
  total.blocks += enginesIn(events);
  total.faults.push(...ran.filter((unit) => done.has(unit)).map((unit) => `${unit} was finished and ran again`));
  for (const { ended: unit, pieces } of events) {
    if (pieces !== undefined && pieces.cached < blocksThere) total.faults.push(`${unit} found ${pieces.cached} of the ${blocksThere} blocks that were there`);
  }
  for (const unit of ended) done.add(unit);
}

function enginesIn(events) {
  return events.filter(({ engine }) => engine).length;
}

function blocksIn({ cache }) {
  return entriesOf(cache).filter((entry) => entry.includes('/quantize-block_')).length;
}
