/** The tasks that a build of models consists of, as Nx plans them; Nx is started as a program, which the workspace has installed. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { cliError } from '../errors.js';

/** A task of a model, of one of its cells or of one of its parts. */
export interface ModelTask {
  /** `llama32/part1of2:compile` */
  readonly id: string;
  readonly project: string;
  readonly target: string;
  /** Ids of the tasks whose results it reads, those among them that are no model's replaced by what they read. */
  readonly after: readonly string[];
}

/** A model that is built, with the folder of its project relative to the workspace. */
export interface BuiltModel {
  readonly name: string;
  readonly root: string;
}

export interface TaskGraph {
  readonly models: readonly BuiltModel[];
  /** In the order of their ids. */
  readonly tasks: readonly ModelTask[];
}

export interface TaskGraphRequest {
  readonly workspaceRoot: string;
  /** Target of the models. */
  readonly target: string;
  /** Names; empty for all models. */
  readonly models: readonly string[];
  /** A revision of git: only models that `nx affected` selects since then. */
  readonly base?: string;
  readonly signal: AbortSignal;
}

/** What `--graph=FILE` writes, as far as it is read. */
interface NxGraph {
  readonly graph: { readonly nodes: Readonly<Record<string, { readonly data: { readonly root: string; readonly tags?: readonly string[] } }>> };
  readonly tasks: {
    readonly tasks: Readonly<Record<string, { readonly target: { readonly project: string; readonly target: string } }>>;
    readonly dependencies: Readonly<Record<string, readonly string[]>>;
  };
}

/** @throws CLI_NX when Nx cannot be started or fails */
export async function readTaskGraph(request: TaskGraphRequest): Promise<TaskGraph> {
  const { graph: { nodes }, tasks: { tasks, dependencies } } = await graphOf(request);
  const tagsOf = (project: string): readonly string[] => nodes[project]?.data.tags ?? [];
  const models = Object.keys(nodes).filter((name) => tagsOf(name).includes('tundish:model') && tasks[`${name}:${request.target}`] !== undefined && (request.models.length === 0 || request.models.includes(name))).sort();
  const isOurs = (id: string): boolean => tagsOf(tasks[id]?.target.project ?? '').some((tag) => tag.startsWith('tundish:'));
  const needed = new Map<string, ModelTask>();
  // A task that is no model's is run by every runner that needs it: only the tasks of models before it count.
  const oursBefore = (id: string): string[] => [...new Set((dependencies[id] ?? []).flatMap((earlier) => (isOurs(earlier) ? [earlier] : oursBefore(earlier))))].sort();
  const need = (id: string): void => {
    if (needed.has(id)) return;
    const { project, target } = (tasks[id] as NxGraph['tasks']['tasks'][string]).target;
    const after = oursBefore(id);
    needed.set(id, { id, project, target, after });
    after.forEach(need);
  };
  for (const model of models) need(`${model}:${request.target}`);
  return { models: models.map((name) => ({ name, root: nodes[name]?.data.root as string })), tasks: [...needed.values()].sort((a, b) => (a.id < b.id ? -1 : 1)) };
}

async function graphOf({ workspaceRoot, target, models, base, signal }: TaskGraphRequest): Promise<NxGraph> {
  const folder = await mkdtemp(join(tmpdir(), 'tundish-graph-'));
  try {
    const file = join(folder, 'graph.json');
    const asked = base === undefined ? ['run-many', ...(models.length === 0 ? [] : ['-p', models.join(',')])] : ['affected', `--base=${base}`];
    const { failed, all, exitCode } = await execa('nx', [...asked, '-t', target, `--graph=${file}`], { cwd: workspaceRoot, preferLocal: true, localDir: workspaceRoot, all: true, reject: false, stdin: 'ignore', cancelSignal: signal, env: { NX_TUI: 'false' } });
    signal.throwIfAborted();
    if (failed) throw nxFailed(workspaceRoot, exitCode, all);
    return JSON.parse(await readFile(file, 'utf8')) as NxGraph;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function nxFailed(path: string, exitCode: number | undefined, output: string | undefined): Error {
  return cliError('CLI_NX', {
    what: exitCode === undefined ? 'Nx could not be started' : `Nx ended with ${exitCode} instead of a task graph`,
    evidence: { path, stderr: (output ?? '').split('\n').filter((line) => line.trim() !== '').slice(0, 12) },
    fix: exitCode === undefined ? 'install the packages of the workspace: npm ci' : 'mend what Nx says',
  });
}
