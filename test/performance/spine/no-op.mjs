/** A run in which everything is cached, against the floor: a task of the same workspace that does nothing. */
import { rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, median, succeed } from '../processes.mjs';

const REPEATS = 5;

export async function noOp(record) {
  // Nx sees no project in a folder that git ignores.
  const project = join(ROOT, 'test/performance/no-op');
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'project.json'), JSON.stringify({ name: 'no-op', targets: { nothing: { executor: 'nx:noop' }, command: { executor: 'nx:run-commands', options: { command: 'true' } } } }));
  try {
    await succeed('npx', ['nx', 'run', 'llama32:compile']);
    const time = async (task) => {
      const seconds = [];
      for (let i = 0; i < REPEATS; i++) seconds.push((await succeed('npx', ['nx', 'run', task])).seconds);
      return median(seconds);
    };
    await time('no-op:nothing');
    const noop = await time('no-op:nothing');
    const command = await time('no-op:command');
    const compile = await time('llama32:compile');
    record('floor: nx:noop task', noop, 's');
    record('floor: task that starts a process that does nothing', command, 's');
    record('llama32:compile with all cached', compile, 's');
    record('llama32:compile above the floor of a no-op task', compile - noop, 's', ['<=', 0.3]);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}
