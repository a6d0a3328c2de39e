/** The commands that ci-matrix prints, run one by one: the real nx, each unit in the shard that it was planned in, once. */
import { cpSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKPOINT, NxWorkspace } from './nx-workspace.js';

interface Plan {
  readonly basis: string;
  readonly waves: readonly (readonly { readonly name: string; readonly seconds: number; readonly tasks: readonly string[]; readonly command: string }[])[];
}

const RECIPE = `checkpoint: ./checkpoint
graphs: { ar: [1], cl: [128, 256, 384], parts: 2 }
quantize: { recipe: minmax, activations: none }
`;
const RECIPE_PATH = 'models/tiny/recipe.yaml';

let workspace: NxWorkspace;
beforeAll(async () => {
  workspace = new NxWorkspace({
    'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "parallel": 2, "plugins": ["@tundish/nx/plugin"] }\n',
    [RECIPE_PATH]: RECIPE,
    'models/tiny/project.json': '{ "name": "tiny" }\n',
    // A target of the same name that is no model's.
    'apps/web/project.json': '{ "name": "web", "targets": { "compile": { "executor": "nx:run-commands", "options": { "command": "false" } } } }\n',
  });
  cpSync(CHECKPOINT, join(workspace.root, 'models/tiny/checkpoint'), { recursive: true });
  await workspace.install();
});
afterAll(() => workspace.remove());

async function plan(...words: string[]): Promise<Plan> {
  const { code, output } = await workspace.tundish(['ci-matrix', '--start', '0', '--shards', '4', ...words]);
  if (code !== 0) throw new Error(output);
  return JSON.parse(output.slice(output.indexOf('{'))) as Plan;
}

describe('tundish ci-matrix', () => {
  it('prints shards that build the model, each what it was planned to build and nothing again', async () => {
    const { waves, basis } = await plan();
    expect(basis).toBe('estimated');
    expect(waves.map((wave) => wave.map(({ command }) => command))).toEqual([
      ['npx nx run tiny:arcl'],
      [
        'npx nx run-many -t convert -p tiny/ar1-cl128-1of2,tiny/ar1-cl384-1of2',
        'npx nx run-many -t convert -p tiny/ar1-cl128-2of2,tiny/ar1-cl384-2of2',
        'npx nx run tiny/ar1-cl256-1of2:convert',
        'npx nx run tiny/ar1-cl256-2of2:convert',
      ],
      ['npx nx run tiny/part1of2:compile', 'npx nx run tiny/part2of2:compile'],
      ['npx nx run tiny:compile'],
    ]);
    for (const { name, tasks, command } of waves.flat()) {
      const before = workspace.runs();
      const { code, output } = await workspace.sh(command, { CI: 'true' });
      if (code !== 0) throw new Error(`${name}: ${output}`);
      // The target `compile` of a model builds nothing of its own.
      const planned = tasks.filter((id) => id !== 'tiny:compile').map((id) => id.replace(/^tiny[/:]/, ''));
      expect(workspace.ran(before), name).toEqual(Object.fromEntries(planned.map((id) => [id, 'run'])));
    }
    expect((await workspace.nx(['run', 'tiny:compile'])).output).toMatch(/total +0 run, 19 cached/);
  });

  it('balances by what the build took', async () => {
    const measured = await plan('tiny');
    expect(measured.basis).toBe('recorded');
    const folder = join(workspace.root, '.tundish/cache/tiny');
    const recorded = readdirSync(folder).filter((name) => /^(load|optimize|quantize|arcl)_/.test(name)).map((name) => JSON.parse(readFileSync(join(folder, name, 'builder_cache_info.json'), 'utf8')) as { wall_seconds: number });
    expect(measured.waves[0]?.[0]?.seconds).toBe(Number(recorded.reduce((sum, { wall_seconds }) => sum + wall_seconds, 0).toFixed(1)));
  });

  it('plans what changed since a revision, in a form for every system', async () => {
    const nothing = await workspace.tundish(['ci-matrix', '--base', 'HEAD', '--format', 'github']);
    expect(nothing.output).toContain('no model changed since HEAD: nothing to build\n');
    expect(nothing.output).toContain('{"waves":[],"package":null}\n');
    workspace.write({ [RECIPE_PATH]: RECIPE.replace('activations: none', 'activations: none, embedding: { bits: 8 }') });
    const { output, code } = await workspace.tundish(['ci-matrix', '--base', 'HEAD', '--format', 'github']);
    workspace.write({ [RECIPE_PATH]: RECIPE });
    expect(code).toBe(0);
    expect(output).toBe('{"waves":[],"package":{"include":[{"name":"w0s0","command":"npx nx run tiny:compile"}]}}\n');
  });

  it('is what the generated script runs', async () => {
    expect((await workspace.nx(['generate', '@tundish/nx:ci', '--shards=2'])).code).toBe(0);
    expect(workspace.read('.github/workflows/tundish.yml')).toContain('ci-matrix --format github --shards 2');
    const all = await workspace.sh('./ci/tundish.sh');
    expect(all.output).toContain('Successfully ran target compile for project tiny');
    expect((await workspace.sh('ci/tundish.sh plan plan.json && ci/tundish.sh count plan.json')).output).toMatch(/^1\n$/m);
    expect((await workspace.sh('ci/tundish.sh shard plan.json 0 0')).output).toMatch(/total +0 run, 19 cached/);
    expect((await workspace.sh('ci/tundish.sh shard plan.json 0 1')).code).not.toBe(0);
  });

  it('says what Nx says when it cannot plan', async () => {
    const { code, output } = await workspace.tundish(['ci-matrix', '--base', 'nowhere']);
    expect(code).toBe(3);
    expect(output).toMatch(/CLI_NX: Nx ended with 1/);
    expect((await workspace.tundish(['ci-matrix', '--target', 'nothing'])).output).toContain('CLI_CI_TARGET: no model has the target nothing');
  });
});
