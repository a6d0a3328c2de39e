/** What the generator `ci` writes, held against the parser of GitHub and a POSIX shell; and what it leaves alone. */
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTreeWithEmptyWorkspace } from '@nx/devkit/testing';
import type { Tree } from '@nx/devkit';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { CiGeneratorOptions } from '../src/generators/ci/choices.js';
import ciGenerator, { SCRIPT_FILE, WORKFLOW_FILE } from '../src/generators/ci/generator.js';
import { emptyFolder, writeFiles } from './temporary-workspace.js';

function generated(options: CiGeneratorOptions, tree: Tree = createTreeWithEmptyWorkspace()): { readonly tree: Tree; readonly workflow: string; readonly script: string } {
  ciGenerator(tree, options);
  return { tree, workflow: tree.read(WORKFLOW_FILE, 'utf8') ?? '', script: tree.read(SCRIPT_FILE, 'utf8') ?? '' };
}

interface Asked {
  readonly workflows?: readonly string[];
  readonly expressions?: readonly { readonly expression: string; readonly contexts: object }[];
}

/** The libraries that GitHub publishes: form, names of keys and syntax of expressions, and what expressions come to. */
function github(asked: Asked): { readonly complaints: readonly string[][]; readonly values: readonly unknown[] } {
  const { stdout, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL('github-expressions.mjs', import.meta.url))], { input: JSON.stringify(asked), encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as { complaints: string[][]; values: unknown[] };
}

const expressionOf = (text = ''): string => text.replace(/^\$\{\{ | }}$/g, '');

interface Workflow {
  readonly env: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly needs?: readonly string[]; readonly if?: string; readonly steps: readonly { readonly run?: string; readonly env?: Readonly<Record<string, string>> }[] }>>;
}

describe('the workflow', () => {
  it('is one that GitHub reads', () => {
    const { workflow } = generated({});
    const chosen = generated({ cache: 'https://cache.example.org', forkToken: 'abc.DEF_123=', shards: 9, branch: 'release/1.x' }).workflow;
    const broken = [workflow.replace('needs: [plan, wave-0]', 'needs: [plan, wave-9]'), workflow.replace('!cancelled() &&', '!cancelled( &&'), workflow.replace('runs-on:', 'run-on:')];
    const [plain, other, ...faults] = github({ workflows: [workflow, chosen, ...broken] }).complaints;
    expect([plain, other]).toEqual([[], []]);
    expect(faults.map((complaints) => complaints.length > 0)).toEqual([true, true, true]);
  });

  it('plans, runs three waves one after the other, and packs', () => {
    const { jobs } = parse(generated({ shards: 6 }).workflow) as Workflow;
    expect(Object.entries(jobs).map(([name, { needs = [] }]) => `${name}: ${needs.join(' ')}`)).toEqual(['plan: ', 'wave-0: plan', 'wave-1: plan wave-0', 'wave-2: plan wave-0 wave-1', 'package: plan wave-0 wave-1 wave-2']);
    expect(jobs['plan']?.steps.at(-1)?.run).toContain('npx tundish ci-matrix --format github --shards 6 ');
    expect(jobs['wave-1']?.steps.at(-1)).toEqual({ env: { COMMAND: '${{ matrix.command }}' }, run: 'sh -ec "$COMMAND"' });
  });

  it('skips the waves that a plan does not have', () => {
    const { jobs } = parse(generated({}).workflow) as Workflow;
    const conditions = Object.values(jobs).flatMap((job) => (job.if === undefined ? [] : [expressionOf(job.if)]));
    const matrix = { include: [{ name: 'w0s0', command: 'x' }] };
    const plans = [{ waves: [], package: null }, { waves: [matrix], package: matrix }, { waves: [matrix, matrix, matrix], package: matrix }];
    const { values } = github({ expressions: plans.flatMap((plan) => conditions.map((expression) => ({ expression, contexts: { needs: { plan: { outputs: { matrix: JSON.stringify(plan) } } } } }))) });
    expect([0, 4, 8].map((start) => values.slice(start, start + 4).map(Boolean))).toEqual([[false, false, false, false], [true, false, false, true], [true, true, true, true]]);
  });

  it('gives no pull request what writes for everybody, and a fork what reads', () => {
    const { env } = parse(generated({ cache: 'https://cache.example.org', forkToken: 'open' }).workflow) as Workflow;
    const settings = { vars: { TUNDISH_REMOTE_CACHE: 'https://other.example.org' }, secrets: { TUNDISH_REMOTE_CACHE_TOKEN: 'main', TUNDISH_REMOTE_CACHE_PR_TOKEN: 'pr' } };
    const pullRequest = (fork: boolean): object => ({ event_name: 'pull_request', event: { pull_request: { head: { repo: { fork } } } } });
    const events = [{ github: { event_name: 'push', event: {} }, ...settings }, { github: pullRequest(false), ...settings }, { github: pullRequest(true), vars: {}, secrets: {} }];
    const names = ['TUNDISH_REMOTE_CACHE', 'TUNDISH_REMOTE_CACHE_TOKEN', 'TUNDISH_REMOTE_CACHE_MODE', 'NX_SELF_HOSTED_REMOTE_CACHE_SERVER', 'NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN'];
    const { values } = github({ expressions: events.flatMap((contexts) => names.map((name) => ({ expression: expressionOf(env[name]), contexts }))) });
    expect([0, 1, 2].map((event) => values.slice(event * names.length, (event + 1) * names.length))).toEqual([
      ['https://other.example.org', 'main', 'read-write', 'https://other.example.org', 'main'],
      ['https://other.example.org', 'pr', 'read-write', 'https://other.example.org', 'pr'],
      ['https://cache.example.org', 'open', 'read', 'https://cache.example.org', 'open'],
    ]);
  });

  it('leaves Nx without a cache where the address is none that Nx speaks, or there is none', () => {
    const addresses = [{ cache: 's3://bucket/prefix?region=x' }, {}].map((options) => (parse(generated(options).workflow) as Workflow).env['NX_SELF_HOSTED_REMOTE_CACHE_SERVER']);
    expect(github({ expressions: addresses.map((text) => ({ expression: expressionOf(text), contexts: { vars: {} } })) }).values).toEqual(['', '']);
  });
});

describe('the script', () => {
  /** A workspace in which npx only says what it was asked. */
  function workspace(options: CiGeneratorOptions): { readonly root: string; run(words: readonly string[], environment?: Readonly<Record<string, string>>): { readonly status: number | null; readonly stdout: string; readonly stderr: string } } {
    const root = emptyFolder();
    writeFiles(root, { [SCRIPT_FILE]: generated(options).script, 'node_modules/x': '', 'bin/npx': '#!/bin/sh\nfor word in "$@"; do printf "<%s>" "$word"; done\necho " $NX_SELF_HOSTED_REMOTE_CACHE_SERVER $NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN"\n' });
    chmodSync(join(root, 'bin/npx'), 0o755);
    return { root, run: (words, environment = {}) => spawnSync('/bin/sh', [join(root, SCRIPT_FILE), ...words], { cwd: '/', encoding: 'utf8', env: { PATH: `${join(root, 'bin')}:${process.env['PATH']}`, ...environment } }) };
  }

  it('builds everything, or what changed, with the cache of Nx on the same server', () => {
    const { run } = workspace({ cache: 'https://cache.example.org' });
    expect(run([]).stdout).toBe('<nx><run-many><-t><compile><-p><tag:tundish:model> https://cache.example.org \n');
    expect(run(['build'], { TUNDISH_BASE: 'a b', TUNDISH_REMOTE_CACHE: 'http://other', TUNDISH_REMOTE_CACHE_TOKEN: 't' }).stdout).toBe('<nx><affected><-t><compile><--base=a b> http://other t\n');
    expect(run([], { TUNDISH_REMOTE_CACHE: 's3://bucket' }).stdout).toMatch(/> {2}\n$/);
  });

  it('writes a plan, counts its shards, and runs one', () => {
    const { run, root } = workspace({ shards: 3 });
    expect(run(['plan', 'plan.json'], { TUNDISH_BASE: 'x y' }).status).toBe(0);
    expect(readFileSync(join(root, 'plan.json'), 'utf8')).toMatch(/^<tundish><ci-matrix><--shards><3><--base><x y>/);
    writeFiles(root, { 'plan.json': '{ "waves": [[{ "command": "npx one" }], [{ "command": "npx two" }, { "command": "npx three && exit 7" }]] }' });
    expect(run(['count', 'plan.json']).stdout).toBe('1\n2\n');
    expect(run(['shard', 'plan.json', '1', '0']).stdout).toMatch(/^<two> /);
    expect(run(['shard', 'plan.json', '1', '1'])).toMatchObject({ status: 7, stdout: expect.stringMatching(/^<three> /) });
    expect(run(['shard', 'plan.json', '2', '0'])).toMatchObject({ status: 1, stderr: expect.stringContaining('the plan has no shard 0 in wave 2') });
  });

  it.each([[['plan']], [['shard', 'plan.json', '0']], [['count']], [['deploy']], [['build', 'x']]])('refuses %j', (words) => {
    expect(workspace({}).run(words).status).toBe(2);
  });

  const shellcheck = spawnSync('shellcheck', ['--version']).status === 0;
  it.runIf(shellcheck)('leaves shellcheck nothing to say', () => {
    expect(spawnSync('shellcheck', ['-'], { input: generated({ cache: 'https://cache.example.org' }).script, encoding: 'utf8' }).stdout).toBe('');
  });
});

describe('files that are there', () => {
  it('are written again while nobody has edited them, and left alone after that', () => {
    const { tree, workflow, script } = generated({ shards: 2 });
    tree.write(SCRIPT_FILE, script.replaceAll('\n', '\r\n'));
    expect(generated({ shards: 8 }, tree).workflow).toContain('--shards 8');
    const edited = tree.read(WORKFLOW_FILE, 'utf8')?.replace('ubuntu-latest', 'big-runner') ?? '';
    tree.write(WORKFLOW_FILE, edited);
    expect(() => ciGenerator(tree, { shards: 2 })).toThrow(/NX_CI_CHANGED: \.github\/workflows\/tundish\.yml would/);
    expect(tree.read(WORKFLOW_FILE, 'utf8')).toBe(edited);
    expect(tree.read(SCRIPT_FILE, 'utf8')).toContain('TUNDISH_SHARDS:-8');
    expect(generated({ shards: 2, force: true }, tree).workflow).toBe(workflow);
    tree.write(WORKFLOW_FILE, 'name: mine\n');
    expect(() => ciGenerator(tree, { ci: 'github' })).toThrow(/NX_CI_CHANGED/);
    ciGenerator(tree, { ci: 'shell' });
    expect(tree.read(WORKFLOW_FILE, 'utf8')).toBe('name: mine\n');
  });

  it('are the same from the same answers', () => {
    const { tree, workflow, script } = generated({});
    expect(generated({}, tree)).toMatchObject({ workflow, script });
  });
});

describe('answers', () => {
  it.each<[CiGeneratorOptions]>([
    [{ shards: 0 }], [{ shards: 257 }], [{ branch: "x'y" }], [{ cache: 'file:///srv/cache' }], [{ cache: "https://x/'${{ secrets.X }}" }], [{ forkToken: 'x' }], [{ cache: 'https://x', forkToken: "a' b" }],
  ])('%j are refused', (options) => {
    const tree = createTreeWithEmptyWorkspace();
    expect(() => ciGenerator(tree, options)).toThrow(/NX_OPTION/);
    expect(tree.exists(WORKFLOW_FILE)).toBe(false);
  });

  it('name the branch of nx.json, the folders of models and the package manager of the workspace', () => {
    const tree = createTreeWithEmptyWorkspace();
    tree.write('nx.json', JSON.stringify({ defaultBase: 'trunk', plugins: [{ plugin: '@tundish/nx/plugin', options: { modelsGlob: 'llm/*/project.json' } }] }));
    const { workflow } = generated({ ci: 'github' }, tree);
    expect(workflow).toContain("branches: ['trunk']");
    expect(workflow).toContain('path: llm/*/artifacts/container');
    expect(workflow).toContain('run: npm ci');
    expect(tree.exists(SCRIPT_FILE)).toBe(false);
  });
});
