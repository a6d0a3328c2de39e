/** Waves, shards and their forms: of task graphs as Nx gives them, held against the rules of the systems that read them. */
import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Workflow } from '@kubernetes-models/argo-workflows/argoproj.io/v1alpha1/Workflow';
import { Ajv } from 'ajv';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { type BuildPlan, describeWaves } from '../src/ci/build-plan.js';
import { argoFormat } from '../src/ci/formats/argo.js';
import { githubFormat } from '../src/ci/formats/github.js';
import { gitlabFormat } from '../src/ci/formats/gitlab.js';
import { kubernetesFormat } from '../src/ci/formats/kubernetes.js';
import { type Runners, planShards } from '../src/ci/shards.js';
import type { ModelTask } from '../src/ci/task-graph.js';
import { wavesOf } from '../src/ci/waves.js';
import { main } from '../src/main.js';

const SECONDS: Readonly<Record<string, number>> = { quantize: 100, convert: 10, compile: 40 };

function task(id: string, ...after: string[]): ModelTask {
  const [project = '', target = ''] = id.split(':');
  return { id, project, target, after };
}

/** What Nx plans for a model with two context lengths and some parts. */
function tasksOf(name: string, parts = 2): ModelTask[] {
  const numbers = Array.from({ length: parts }, (_, index) => index + 1);
  const cells = (part: number): string[] => [512, 1024].map((cl) => `${name}/cl${cl}-${part}of${parts}`);
  return [
    task(`${name}:load`),
    task(`${name}:quantize`, `${name}:load`),
    task(`${name}:arcl`, `${name}:load`, `${name}:quantize`),
    ...numbers.flatMap(cells).flatMap((cell) => [task(`${cell}:transform`, `${name}:arcl`), task(`${cell}:convert`, `${cell}:transform`)]),
    ...numbers.map((part) => task(`${name}/part${part}:compile`, ...cells(part).map((cell) => `${cell}:convert`))),
    task(`${name}:package`, `${name}:load`, ...numbers.map((part) => `${name}/part${part}:compile`)),
    task(`${name}:compile`, `${name}:package`),
  ];
}

/** The container's own task has the name of a heavy one, and is light. */
const seconds = ({ id, target }: ModelTask): number => (/^[^/]+:compile$/.test(id) ? 1 : (SECONDS[target] ?? 1));

function planned(tasks: readonly ModelTask[], runners: Partial<Runners> = {}): BuildPlan['waves'] {
  return describeWaves(planShards(wavesOf(tasks, seconds), { count: 4, startSeconds: 0, ...runners }));
}

const commandsOf = (waves: BuildPlan['waves']): string[][] => waves.map((wave) => wave.map(({ command }) => command));
const planOf = (waves: BuildPlan['waves'], target = 'compile'): BuildPlan => ({ schema: 1, target, models: [{ name: 'a', root: 'models/a' }], basis: 'estimated', waves });

describe('waves', () => {
  it('put the stages of the model before its cells, those before the parts, and the container last', () => {
    expect(commandsOf(planned(tasksOf('a')))).toEqual([
      ['npx nx run a:arcl'],
      ['npx nx run a/cl1024-1of2:convert', 'npx nx run a/cl1024-2of2:convert', 'npx nx run a/cl512-1of2:convert', 'npx nx run a/cl512-2of2:convert'],
      ['npx nx run a/part1:compile', 'npx nx run a/part2:compile'],
      ['npx nx run a:compile'],
    ]);
  });

  it('give every task to one shard, behind the shards of everything that it reads', () => {
    for (const count of [1, 2, 3, 7]) {
      for (const startSeconds of [0, 30, 1000]) {
        const tasks = [...tasksOf('a', 3), ...tasksOf('b')];
        const waves = planned(tasks, { count, startSeconds });
        const placed = new Map(waves.flatMap((wave, w) => wave.flatMap((shard) => shard.tasks.map((id) => [id, { w, shard }] as const))));
        expect(waves.flat().flatMap((shard) => shard.tasks).sort()).toEqual(tasks.map(({ id }) => id).sort());
        for (const { id, after } of tasks) {
          const own = placed.get(id);
          for (const earlier of after.map((before) => placed.get(before))) {
            expect(earlier?.shard === own?.shard || (own?.shard.after.includes(earlier?.shard.name ?? '') === true && (earlier?.w ?? 9) < own.w), `${count} ${startSeconds} ${id}`).toBe(true);
          }
        }
        expect(Math.max(...waves.map((wave) => wave.length))).toBeLessThanOrEqual(count);
      }
    }
  });

  it('do not depend on the order in which the graph lists its tasks', () => {
    const tasks = [...tasksOf('a'), ...tasksOf('b', 3)];
    expect(planned([...tasks].reverse(), { count: 3 })).toEqual(planned(tasks, { count: 3 }));
  });
});

describe('shards', () => {
  it('take the longest work first, each by the runner that has least', () => {
    const works = [5, 4, 3, 3, 3].map((own, index) => ({ project: `p${index}`, tasks: [task(`p${index}:t`)], seconds: own }));
    expect(planShards([works], { count: 2, startSeconds: 0 })[0]?.map((shard) => [shard.seconds, shard.tasks.map(({ id }) => id)])).toEqual([
      [8, ['p0:t', 'p3:t']],
      [10, ['p1:t', 'p2:t', 'p4:t']],
    ]);
  });

  it('join the cells of a part with it where new runners would cost more than they save', () => {
    // A part with its two cells takes 62 s; apart, with a start between them, 11 + 40 s and the start.
    expect(planned(tasksOf('a'), { startSeconds: 10 })).toHaveLength(4);
    const joined = planned(tasksOf('a'), { startSeconds: 20 });
    expect(commandsOf(joined)).toEqual([['npx nx run a:arcl'], ['npx nx run a/part1:compile', 'npx nx run a/part2:compile'], ['npx nx run a:compile']]);
    expect(joined[1]?.[0]?.tasks).toEqual(['a/cl1024-1of2:convert', 'a/cl1024-1of2:transform', 'a/cl512-1of2:convert', 'a/cl512-1of2:transform', 'a/part1:compile']);
  });

  it('never join what several runners would then build each for itself', () => {
    // Quantize is read by the cells of both parts: it stays before them however long a start takes, until one runner has both.
    expect(commandsOf(planned(tasksOf('a'), { startSeconds: 30 }))[0]).toEqual(['npx nx run a:arcl']);
    expect(commandsOf(planned(tasksOf('a'), { startSeconds: 1e6 }))).toEqual([['npx nx run a:compile']]);
    expect(commandsOf(planned([...tasksOf('a'), ...tasksOf('b')], { startSeconds: 1e6 }))).toEqual([['npx nx run a:compile', 'npx nx run b:compile']]);
    expect(commandsOf(planned([...tasksOf('a'), ...tasksOf('b')], { startSeconds: 1e6, count: 1 }))).toEqual([['npx nx run-many -t compile -p a,b']]);
  });

  it('name each target with its own projects, as words of a shell', () => {
    const [shard] = describeWaves([[{ seconds: 1, tasks: [task('a b:x'), task("c'd:x"), task('e:y')] }]])[0] ?? [];
    expect(shard?.command).toBe(`npx nx run-many -t x -p 'a b,c'\\''d' && npx nx run-many -t y -p e`);
  });
});

const waves = planned([...tasksOf('a'), ...tasksOf('b', 3)], { count: 3 });
const RUNNERS = { image: 'example.org/builder:1' };
const valid = { kubernetes: parseAllDocuments(kubernetesFormat(planOf(waves), RUNNERS)).map((document) => document.toJS() as Record<string, unknown>), argo: parse(argoFormat(planOf(waves), RUNNERS)) as Record<string, unknown> };

describe('kubernetes', () => {
  const containerOf = (job: Record<string, unknown>): { args: string[]; command: string[]; image: string } => (job as { spec: { template: { spec: { containers: [{ args: string[]; command: string[]; image: string }] } } } }).spec.template.spec.containers[0];

  it('has one Indexed Job a wave that the API takes, the first one started', () => {
    for (const job of valid.kubernetes) new Job(job as never).validate();
    expect(valid.kubernetes.map(({ spec }) => spec)).toMatchObject(waves.map((wave, index) => ({ completionMode: 'Indexed', completions: wave.length, parallelism: wave.length, suspend: index > 0 })));
    const [{ spec, ...job } = {}] = valid.kubernetes;
    expect(() => new Job({ ...job, spec: { ...(spec as object), completions: 'two' } } as never).validate()).toThrow(/completions/);
  });

  it('finds the command of a shard by JOB_COMPLETION_INDEX, and fails where it fails', () => {
    const second = containerOf(valid.kubernetes[1] as Record<string, unknown>);
    expect([...second.command, second.image]).toEqual(['/bin/sh', '-ec', RUNNERS.image]);
    for (const [index, { command }] of (waves[1] ?? []).entries()) expect(shell(second.args[0] as string, { JOB_COMPLETION_INDEX: String(index) })).toEqual([command.replace('npx ', ''), 0]);
    expect(shell(second.args[0] as string, { JOB_COMPLETION_INDEX: '0', FAIL: '7' })[1]).toBe(7);
    expect(containerOf(parse(kubernetesFormat(planOf(waves.slice(0, 1)), { ...RUNNERS, setup: 'npm ci', name: 'x' })) as Record<string, unknown>).args[0]).toMatch(/^npm ci\ncase /);
  });
});

describe('argo', () => {
  it('has a workflow that its types take, with a task a shard behind those that it reads', () => {
    new Workflow(valid.argo as never).validate();
    const { templates } = (valid.argo as { spec: { templates: [{ dag: { tasks: { name: string; dependencies?: string[] }[] } }] } }).spec;
    expect(templates[0].dag.tasks.map(({ name, dependencies = [] }) => [name, dependencies])).toEqual(waves.flat().map(({ name, after }) => [name, after]));
    const broken = structuredClone(valid.argo) as { spec: { templates: { dag?: { tasks: object[] } }[] } };
    broken.spec.templates[0]?.dag?.tasks.push({ template: 'shard' });
    expect(() => new Workflow(broken as never).validate()).toThrow(/name/);
  });
});

describe('gitlab', () => {
  const schema = JSON.parse(readFileSync(fileURLToPath(new URL('../../../test/fixtures/ci/gitlab-ci.schema.json', import.meta.url)), 'utf8')) as object;
  const validate = new Ajv({ strict: false, logger: false, validateFormats: false }).compile(schema);

  it('has a pipeline that its schema takes, a job a wave with a matrix over the shards, and the containers', () => {
    const pipeline = parse(gitlabFormat(planOf(waves), RUNNERS)) as Record<string, { script?: string[]; parallel?: { matrix: object[] }; artifacts?: object }>;
    expect(validate(pipeline), JSON.stringify(validate.errors)).toBe(true);
    expect(Object.keys(pipeline)).toEqual(['stages', 'default', 'wave-0', 'wave-1', 'wave-2']);
    expect(pipeline['wave-1']?.parallel).toEqual({ matrix: [{ SHARD: ['0', '1', '2'] }] });
    expect(shell(pipeline['wave-1']?.script?.[0] ?? '', { SHARD: '2' })[0]).toBe(waves[1]?.[2]?.command.replace('npx ', ''));
    expect(pipeline['wave-2']?.artifacts).toEqual({ paths: ['models/a/artifacts/container'] });
    expect(pipeline['wave-0']).not.toHaveProperty('artifacts');
    expect(validate({ ...pipeline, 'wave-0': { ...pipeline['wave-0'], parallel: { matrix: [], other: 1 } } })).toBe(false);
  });

  it('has a pipeline that its schema takes when there is nothing to build', () => {
    expect(validate(parse(gitlabFormat(planOf([]), {})))).toBe(true);
  });
});

describe('github', () => {
  it('has a matrix for each wave and one for the container, on one line', () => {
    const text = githubFormat(planOf(waves), {});
    expect(text.split('\n')).toHaveLength(2);
    const { waves: earlier, package: last } = JSON.parse(text) as { waves: { include: { name: string; command: string }[] }[]; package: { include: object[] } };
    expect([...earlier, last].map(({ include }) => include.length)).toEqual(waves.map((wave) => wave.length));
    expect(earlier[0]?.include[0]).toEqual({ name: 'w0s0', command: waves[0]?.[0]?.command });
    expect(githubFormat(planOf([]), {})).toBe('{"waves":[],"package":null}\n');
  });

  it('refuses what no matrix takes', () => {
    const many = planned(Array.from({ length: 300 }, (_, index) => task(`m${index}:compile`)), { count: 300 });
    expect(() => githubFormat(planOf(many), {})).toThrow(/CLI_CI_SIZE: the plan has 300 shards/);
    expect(() => gitlabFormat(planOf(many), {})).toThrow(/CLI_CI_SIZE/);
  });
});

describe('ci-matrix', () => {
  const run = async (...words: string[]): Promise<[number, string]> => {
    let err = '';
    const code = await main(['ci-matrix', ...words], { out: () => undefined, err: (text) => (err += text) });
    return [code, err];
  };

  it.each([
    [['--shards', '0'], /1 or more/],
    [['--format', 'jenkins'], /Allowed choices are json, github, gitlab, kubernetes, argo/],
    [['--format', 'argo'], /CLI_USAGE: the format argo needs --image/],
    [['--format', 'argo', '--image', 'x', '--name', 'A_b'], /CLI_USAGE: --name A_b cannot be the name of a job/],
    [['--image', 'x'], /CLI_USAGE: --image has no place in the format json/],
  ])('refuses %j as wrong usage', async (words, message) => {
    const [code, err] = await run(...words);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  it('says when a model is not there', async () => {
    expect(await run('nobody', '--workspace', fileURLToPath(new URL('.', import.meta.url)))).toEqual([3, expect.stringContaining('STAGE_MODEL_UNKNOWN')]);
  });
});

/** What a script of a shard starts in place of npx, and how it ends. */
function shell(script: string, environment: Readonly<Record<string, string>>): [string, number | null] {
  const { stdout, status } = spawnSync('/bin/sh', ['-ec', `npx() { echo "$@"; return "\${FAIL:-0}"; }\n${script}`], { encoding: 'utf8', env: environment });
  return [stdout.trim(), status];
}
