/** One model built by four clones in waves, with stores of their own and one cache server: each unit once, and the container of one machine. */
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ServerProcess, tokenOf } from '../../packages/cache-server/test/server-process.js';
import { CHECKPOINT, NxWorkspace } from './nx-workspace.js';

const FILES = {
  'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "parallel": 1, "plugins": ["@tundish/nx/plugin"] }\n',
  // Not the name of the folder: tasks and summaries go by it.
  'models/tiny/project.json': '{ "name": "little" }\n',
  'models/tiny/recipe.yaml': `checkpoint: ./checkpoint
graphs: { ar: [1, 32], cl: [128], parts: 2 }
quantize: { recipe: minmax, calibration: { windows: 1, windowLength: 64 } }
`,
  '.gitignore': 'node_modules\n.nx/\n.tundish/\nmodels/*/out/\nmodels/*/artifacts/\nmodels/*/checkpoint/\n',
};
const LOCK = 'models/tiny/recipe.lock.json';
const MANIFEST = 'models/tiny/artifacts/container/manifest.json';

const server = new ServerProcess();
const alone = new NxWorkspace(FILES);
const clones: NxWorkspace[] = [];

beforeAll(async () => {
  await server.start('--tokens', server.writeTokens([{ name: 'ci', scope: 'read-write' }]));
  cpSync(CHECKPOINT, join(alone.root, 'models/tiny/checkpoint'), { recursive: true });
  await alone.install();
  const { code, output } = await alone.nx(['run', 'little:compile']);
  expect(code, output).toBe(0);
  expect(output).toMatch(/total +15 run, 0 cached/);
  expect(output).not.toContain('cached (Nx)');
  for (let i = 0; i < 4; i++) clones.push(await clone());
});
afterAll(async () => {
  for (const workspace of [alone, ...clones]) await workspace.remove();
  await server.stop();
  await server.remove();
});

async function clone(): Promise<NxWorkspace> {
  const workspace = new NxWorkspace({ ...FILES, [LOCK]: alone.read(LOCK) });
  workspace.linkPackages();
  cpSync(CHECKPOINT, join(workspace.root, 'models/tiny/checkpoint'), { recursive: true });
  await workspace.commit();
  return workspace;
}

function environment(): Readonly<Record<string, string>> {
  const token = tokenOf('ci');
  return { CI: 'true', TUNDISH_REMOTE_CACHE: server.url, TUNDISH_REMOTE_CACHE_TOKEN: token, NX_SELF_HOSTED_REMOTE_CACHE_SERVER: server.url, NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN: token };
}

/** Units that a clone has run so far, by the records of its runs. */
function unitsRunBy(workspace: NxWorkspace): string[] {
  return Object.entries(workspace.ran([])).filter(([, status]) => status === 'run').map(([unit]) => unit);
}

it('runs each unit in exactly one of four clones, and gives the container of one machine', async () => {
  const [planner] = clones as [NxWorkspace];
  const { output } = await planner.tundish(['ci-matrix', '--start', '0', '--shards', '2', '--format', 'json']);
  const { waves } = JSON.parse(output.slice(output.indexOf('{'))) as { waves: { command: string; tasks: string[] }[][] };
  // The cells of a part go with it: nobody else reads them.
  expect(waves.map((wave) => wave.length)).toEqual([1, 2, 1]);
  let next = 0;
  for (const wave of waves) {
    const finished = await Promise.all(wave.map(({ command }) => (clones[next++] as NxWorkspace).sh(command, environment())));
    for (const { code, output: said } of finished) expect(code, said).toBe(0);
  }
  const ran = clones.map(unitsRunBy);
  expect(ran.map((units) => units.length)).toEqual(waves.flat().map(({ tasks }) => tasks.filter((task) => task !== 'little:compile').length));
  expect(ran.flat().sort()).toEqual(unitsRunBy(alone).sort());
  const last = clones[3] as NxWorkspace;
  expect(last.read(MANIFEST)).toBe(alone.read(MANIFEST));
  const files = (workspace: NxWorkspace): string[] => readdirSync(join(workspace.root, 'models/tiny/artifacts/container')).sort();
  expect(files(last)).toEqual(files(alone));
});
