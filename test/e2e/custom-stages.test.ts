/** A stage of the recipe's own through the real nx, and builds without Nx over the same cache. */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKPOINT, NxWorkspace, REPOSITORY } from './nx-workspace.js';
import type { Finished, Ran } from './nx-workspace.js';

const RECIPE = `checkpoint: ./checkpoint
graphs: { ar: [1, 32], cl: [128], parts: 1 }
quantize: { recipe: minmax, activations: none }
stages:
  - use: ./stages/prune.ts
    after: optimize
    options: { ratio: 0.25 }
`;
const BEFORE = ['load', 'optimize'];
const CELLS = ['ar1-cl128-1of1', 'ar32-cl128-1of1'];
const BEHIND = ['quantize', 'arcl', ...CELLS.flatMap((cell) => [`${cell}:transform`, `${cell}:convert`]), 'part1of1:compile', 'package'];
const STAGE = 'models/tiny/stages/prune.ts';

let workspace: NxWorkspace;
beforeAll(async () => {
  workspace = new NxWorkspace({
    'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "parallel": 2, "plugins": ["@tundish/nx/plugin"] }\n',
    'models/tiny/recipe.yaml': RECIPE,
    'models/tiny/project.json': '{ "name": "tiny" }\n',
    'build.mjs': readFileSync(join(REPOSITORY, 'docs/build.mjs'), 'utf8'),
  });
  cpSync(CHECKPOINT, join(workspace.root, 'models/tiny/checkpoint'), { recursive: true });
  cpSync(join(REPOSITORY, 'test/fixtures/stages'), join(workspace.root, 'models/tiny/stages'), { recursive: true });
  await workspace.install();
});
afterAll(() => workspace.remove());

const all = (status: 'run' | 'cached', ...tasks: readonly string[]): Ran => Object.fromEntries(tasks.map((task) => [task, status]));

async function run(target: string): Promise<Finished & { readonly ran: Ran }> {
  const before = workspace.runs();
  const finished = await workspace.nx(['run', `tiny:${target}`]);
  return { ...finished, ran: workspace.ran(before) };
}

/** The lines of docs/build.mjs: unit and status. */
async function program(): Promise<Map<string, string>> {
  const { code, output } = await workspace.node(['build.mjs', 'models/tiny']);
  if (code !== 0) throw new Error(output);
  return new Map([...output.matchAll(/^(\S+): (run|cached)/gm)].map(([, unit, status]) => [unit as string, status as string]));
}

function edit(path: string, from: string, to: string): void {
  const text = workspace.read(path);
  if (!text.includes(from)) throw new Error(`${path} does not contain ${from}`);
  workspace.write({ [path]: text.replace(from, to) });
}

describe('a stage of the recipe', () => {
  it('is a target with its description, and a task of the graph between those around it', async () => {
    const shown = JSON.parse((await workspace.nx(['show', 'project', 'tiny', '--json'])).output) as { targets: Record<string, { metadata?: { description?: string } }> };
    expect(shown.targets['prune']?.metadata?.description).toBe('Sets the smallest weights of the MLP to zero. (./stages/prune.ts, after optimize)');
    await workspace.nx(['run', 'tiny:compile', '--graph=graph.json']);
    const { tasks } = JSON.parse(workspace.read('graph.json')) as { tasks: { dependencies: Record<string, string[]> } };
    expect(tasks.dependencies['tiny:prune']).toEqual(['tiny:optimize']);
    expect(tasks.dependencies['tiny:quantize']).toEqual(['tiny:load', 'tiny:prune']);
  });

  it('runs by its name with what it needs, then the build goes on behind it', async () => {
    const { code, ran } = await run('prune');
    expect(code).toBe(0);
    expect(ran).toEqual(all('run', ...BEFORE, 'prune'));
    const rest = await run('compile');
    expect(rest.ran).toEqual(all('run', ...BEHIND));
    expect(rest.output).toMatch(/^prune +cached \(Nx\)/m);
    expect((await run('compile')).ran).toEqual({});
  });

  it('runs again alone after an edit of its file, or of what that imports, that changes no byte', async () => {
    edit(STAGE, '/** Magnitude', '/** The magnitude');
    expect((await run('compile')).ran).toEqual(all('run', 'prune'));
    edit('models/tiny/stages/threshold.ts', '/** The', '/** This is the');
    expect((await run('compile')).ran).toEqual(all('run', 'prune'));
  });

  it('runs again with what depends on it after an option, and not what stands before it', async () => {
    edit('models/tiny/recipe.yaml', '0.25', '0.75');
    expect((await run('compile')).ran).toEqual(all('run', 'prune', ...BEHIND));
  });

  it('that throws fails its task with its file and line, and leaves the container as it was', async () => {
    const text = workspace.read(STAGE);
    edit(STAGE, 'let zeroed = 0;', "throw new Error('no luck');\n    let zeroed = 0;");
    const { code, output } = await run('compile');
    workspace.write({ [STAGE]: text });
    expect(code).not.toBe(0);
    expect(output).toMatch(/STAGE_CUSTOM_FAILED: prune failed: no luck/);
    expect(output).toMatch(/stages\/prune\.ts:12/);
    expect((await run('compile')).ran).toEqual({});
  });
});

describe('without Nx', () => {
  it('everything that Nx built is a hit', async () => {
    const built = await program();
    expect([...built.keys()]).toEqual(expect.arrayContaining(['load', 'prune', 'quantize', 'convert/ar1-cl128-1of1', 'package']));
    expect([...built].filter(([, status]) => status !== 'cached')).toEqual([]);
  });

  it('and what a program built is a hit for Nx', async () => {
    edit('models/tiny/recipe.yaml', '0.75', '0.5');
    const built = await program();
    expect(built.get('load')).toBe('cached');
    expect(built.get('package')).toBe('run');
    expect((await run('compile')).ran).toEqual(all('cached', 'prune', ...BEHIND));
  });
});
