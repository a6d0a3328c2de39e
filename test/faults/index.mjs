/**
 * `npm run test:faults [-- --kills N --seed S --only WORDS]`: builds that are killed, run out of disk, meet damaged files, each other, or a
 * clock that lies. One row a case; a case that fails makes the exit code 1. The same seed gives the same moments and bytes.
 */
import { parseArgs } from 'node:util';
import { clockCases } from './clock.mjs';
import { concurrentCases } from './concurrent.mjs';
import { damageCases } from './damage.mjs';
import { diskCases } from './disk.mjs';
import { kills, uninterrupted } from './kills.mjs';
import { nxKills } from './nx-kills.mjs';
import { seededRandom } from './random.mjs';
import { closeTable, record } from './table.mjs';
import { removeWorkspaces } from './workspace.mjs';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' }, only: { type: 'string', default: '' } } });
if (!/^\d+$/.test(values.kills) || !/^\d+$/.test(values.seed)) {
  console.error('usage: npm run test:faults [-- --kills N --seed S --only WORDS]');
  process.exit(2);
}
/** One kill in eight goes to Nx: a run of it takes several times as long as a build. */
const nxCount = Math.floor(Number(values.kills) / 8);
const count = Number(values.kills) - nxCount;
const random = seededRandom(Number(values.seed));

/** @returns the row of all random kills of builds */
async function killRow(whole) {
  const total = await kills({ count, random, whole });
  const lost = { units: total.units - total.builds * whole.units, blocks: total.blocks - total.builds * whole.blocks };
  const faults = [...total.faults];
  if (lost.units > total.kills) faults.push(`${lost.units} units were lost by ${total.kills} kills`);
  if (lost.blocks > total.kills) faults.push(`${lost.blocks} blocks were lost by ${total.kills} kills`);
  const found = `${total.kills} kills of ${total.builds} builds, equal digests; run in all ${total.units} units and ${total.blocks} blocks of quantize, without kills ${total.builds * whole.units} and ${total.builds * whole.blocks}: lost ${lost.units} units, ${lost.blocks} blocks`;
  return { faults, found };
}

try {
  const whole = await uninterrupted();
  console.log(`one build: ${whole.units} units, ${whole.blocks} blocks of quantize, ${whole.operations} changes of the file system, ${whole.seconds.toFixed(1)} s; seed ${values.seed}\n`);
  const cases = {
    [`kill -9: ${count} times, a build at random moments`]: () => killRow(whole),
    [`kill -9: ${nxCount} times, nx run with or without its tasks`]: () => nxKills({ count: nxCount, random, whole }),
    ...diskCases(whole),
    ...damageCases(whole, random),
    ...concurrentCases(whole),
    ...clockCases(whole),
  };
  for (const [what, run] of Object.entries(cases)) if (what.includes(values.only)) await record(what, run);
} finally {
  removeWorkspaces();
}
process.exitCode = closeTable() ? 0 : 1;
