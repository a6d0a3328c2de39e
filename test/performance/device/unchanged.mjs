/** What a second build of a device model costs: nothing is compiled, and no library of the vendor is opened. */
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, cleanEnvironment } from '../processes.mjs';
import { LPBQ, withDevice } from './workspace.mjs';

const GRAPHS = { ar: [1, 32], cl: [256, 512], parts: 2 };

export function unchanged(record) {
  return withDevice({ graphs: GRAPHS, quantize: { recipe: 'minmax', weights: LPBQ } }, async (device) => {
    const first = await device.build();
    record('compile of 2 parts, 4 graphs each', sum(first.units.filter(({ stage }) => stage === 'compile').map(({ seconds }) => seconds)), 's');
    const { seconds, libraries } = await watched(['build', device.model, '--json'], device.root);
    record('the same again: whole build', seconds, 's');
    record('the same again: processes with a library of the vendor', libraries, 'processes', ['=', 0]);
    const again = await device.build();
    record('the same again: units that ran', again.units.filter(({ status }) => status === 'run').length, 'units', ['=', 0]);
    record('the same again: finding both parts', sum(again.units.filter(({ stage }) => stage === 'compile').map(({ seconds: each }) => each)), 's', ['<=', 0.2]);
  });
}

/** Looks at the maps of the process and of its children all the time. */
function watched(args, cwd) {
  return new Promise((resolve) => {
    const started = performance.now();
    const child = spawn('node', [join(ROOT, 'packages/cli/bin/tundish.js'), ...args], { cwd, env: cleanEnvironment(), stdio: 'ignore' });
    const seen = new Set();
    const timer = setInterval(() => {
      for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) if (hasLibrary(id, child.pid)) seen.add(id);
    }, 5);
    child.on('close', () => {
      clearInterval(timer);
      resolve({ seconds: (performance.now() - started) / 1000, libraries: seen.size });
    });
  });
}

function hasLibrary(id, parent) {
  try {
    const isOurs = Number(id) === parent || readFileSync(`/proc/${id}/stat`, 'utf8').split(') ')[1].split(' ')[1] === String(parent);
    return isOurs && /libQnn|libGenie/.test(readFileSync(`/proc/${id}/maps`, 'utf8'));
  } catch {
    // It has ended.
    return false;
  }
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
