/** What it takes to put everything back after `rm -rf` of all output folders, and what an edit of nx.json costs. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from '../processes.mjs';
import { BUNDLED, withWorkspace } from './workspace.mjs';

const RECIPE = { checkpoint: BUNDLED, graphs: { ar: [1, 128], cl: [512, 1024], parts: 2 }, quantize: { recipe: 'minmax', calibration: { windows: 2, windowLength: 64 } } };
const REPEATS = 5;

export function restore(record) {
  return withWorkspace(RECIPE, async (workspace) => {
    await workspace.nx('compile');
    const alone = [];
    const seconds = { inPlace: [], restored: [] };
    let copied = 0;
    for (let i = 0; i < REPEATS; i++) {
      seconds.inPlace.push((await workspace.nx('compile')).seconds);
      workspace.removeOutputs();
      seconds.restored.push((await workspace.nx('compile')).seconds);
      copied += workspace.copiedBytes();
      workspace.removeOutputs();
      const build = await workspace.build();
      if (build.ran > 0) throw new Error(`${build.ran} units ran: this was no restoration`);
      alone.push(build.lock.seconds + build.seconds);
      copied += workspace.copiedBytes();
    }
    record('after rm -rf of out/ and artifacts/: weight bytes written', copied, 'bytes', ['=', 0]);
    record('after rm -rf: lock, all units and the container without Nx, own time', median(alone), 's', ['<=', 0.3]);
    record('nx run compile with everything in place', median(seconds.inPlace), 's');
    record('nx run compile after rm -rf, above that', median(seconds.restored) - median(seconds.inPlace), 's', ['<=', 0.3]);
  });
}

export function nxJson(record) {
  return withWorkspace(RECIPE, async (workspace) => {
    await workspace.nx('compile');
    const tasks = workspace.records().length;
    appendFileSync(join(workspace.root, 'nx.json'), '\n');
    const { seconds } = await workspace.nx('compile');
    const records = workspace.records();
    record('edit of nx.json: tasks that Nx starts again', records.length, 'tasks', ['=', tasks]);
    record('edit of nx.json: units run', records.filter(({ status }) => status === 'run').length, 'units', ['=', 0]);
    record('edit of nx.json: seconds of the run', seconds, 's');
    record('edit of nx.json: seconds in our code, a task', median(records.map((one) => one.seconds)), 's');
  });
}
