/** From tarballs in an empty workspace to text: what a person does who never saw this repository. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKPOINT, NxWorkspace, REPOSITORY } from './nx-workspace.js';

let workspace: NxWorkspace;

beforeAll(async () => {
  workspace = new NxWorkspace({});
  workspace.linkPackages();
  unpackTarballs(join(workspace.root, 'node_modules/@tundish'));
  await workspace.commit();
});
afterAll(() => workspace.remove());

/** Replaces the linked packages by what `npm pack` puts into their tarballs: a file that is not published is missing here too. */
function unpackTarballs(scope: string): void {
  rmSync(scope, { recursive: true });
  mkdirSync(scope);
  const tarballs = join(workspace.root, 'node_modules/.tarballs');
  mkdirSync(tarballs);
  run('npm', ['pack', '--workspaces', '--ignore-scripts', '--silent', '--pack-destination', tarballs]);
  for (const tarball of readdirSync(tarballs)) {
    const name = /^tundish-(.+)-\d+\.\d+\.\d+\.tgz$/.exec(tarball)?.[1] as string;
    mkdirSync(join(scope, name));
    run('tar', ['-xzf', join(tarballs, tarball), '-C', join(scope, name), '--strip-components=1']);
  }
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { cwd: REPOSITORY, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

describe('an empty workspace', () => {
  it('names every package of ours that a tarball needs', () => {
    const scope = join(workspace.root, 'node_modules/@tundish');
    const packages = readdirSync(scope);
    expect(packages).toContain('nx');
    for (const name of packages) {
      const { dependencies = {} } = JSON.parse(readFileSync(join(scope, name, 'package.json'), 'utf8')) as { dependencies?: Record<string, string> };
      const ours = Object.keys(dependencies).filter((dependency) => dependency.startsWith('@tundish/'));
      for (const dependency of ours) expect(packages, `${name} needs ${dependency}`).toContain(dependency.slice('@tundish/'.length));
    }
  });

  it('is set up by init, which changes nothing when it runs again', async () => {
    const first = await workspace.nx(['generate', '@tundish/nx:init']);
    expect(first.code, first.output).toBe(0);
    const nxJson = workspace.read('nx.json');
    expect(JSON.parse(nxJson)).toMatchObject({ plugins: ['@tundish/nx/plugin'], neverConnectToCloud: true });
    expect(workspace.read('.gitignore')).toContain('models/*/artifacts/');
    await workspace.nx(['generate', '@tundish/nx:init']);
    expect(workspace.read('nx.json')).toBe(nxJson);
  });

  it('gets a model that is locked, described and refused a second time', async () => {
    const made = await workspace.nx(['generate', '@tundish/nx:model', 'tiny', '--checkpoint', CHECKPOINT]);
    expect(made.code, made.output).toBe(0);
    const lock = JSON.parse(workspace.read('models/tiny/recipe.lock.json')) as { cells: object };
    expect(Object.keys(lock.cells)).toHaveLength(6);

    const again = await workspace.nx(['generate', '@tundish/nx:model', 'tiny', '--checkpoint', CHECKPOINT]);
    expect(again.code).not.toBe(0);
    expect(again.output).toContain('NX_MODEL_EXISTS: models/tiny is there already');

    const shown = await workspace.nx(['show', 'project', 'tiny', '--json']);
    const { targets } = JSON.parse(shown.output.slice(shown.output.indexOf('{'))) as { targets: Record<string, { metadata: { description: string } }> };
    for (const [name, { metadata }] of Object.entries(targets)) expect(metadata.description, name).toBeTruthy();
    expect((await workspace.nx(['list', '@tundish/nx'])).output).toMatch(/init :[^]*model :[^]*lock :[^]*stage :[^]*generate :/);
  });

  it('builds the model and talks to it', async () => {
    // Tarballs bring no addon: techniques that learn would take minutes in TypeScript.
    const recipe = workspace.read('models/tiny/recipe.yaml').replace(/# quantize: .*/, 'quantize: { recipe: minmax }');
    workspace.write({ 'models/tiny/recipe.yaml': recipe });
    await workspace.commit();
    const built = await workspace.nx(['run', 'tiny:compile']);
    expect(built.code, built.output).toBe(0);
    expect(built.output).toContain('container: models/tiny/artifacts/container');
    const said = await workspace.nx(['run', 'tiny:generate', '--prompt', 'And God said', '--max-tokens', '8', '--temperature', '0', '--json']);
    expect(said.code, said.output).toBe(0);
    expect(said.output).toMatch(/"text": "[^"]+/);
  });
});
