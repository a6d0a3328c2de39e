/** A workspace in a temporary folder that runs the real nx on this repository's packages, as if they were installed. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Dialogue, runAtTerminal } from './terminal.js';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
export const CHECKPOINT = join(REPOSITORY, 'models/llama32/checkpoint');

/** What an installed package of ours consists of. */
const PUBLISHED = ['package.json', 'dist', 'bin', 'build', 'schemas', 'executors.json', 'generators.json'];
/** Left as real copies, so that a test can change them without touching the repository. */
const COPIED = 'onnxruntime-node';

export interface Finished {
  readonly code: number | null;
  /** stdout and stderr together. */
  readonly output: string;
  readonly seconds: number;
}

/** What became of the tasks that Nx did not answer from its cache: task without the project name, `run` or `cached` by the store. */
export type Ran = Readonly<Record<string, 'run' | 'cached'>>;

export class NxWorkspace {
  readonly root: string;
  /** Caches of Nx, outside the workspace: nothing is shared with the machine's own. */
  readonly #state: string;

  constructor(files: Readonly<Record<string, string>>) {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tundish-e2e-')));
    this.root = join(folder, 'workspace');
    this.#state = join(folder, 'state');
    mkdirSync(this.root);
    this.write({ 'package.json': '{ "name": "e2e", "private": true }\n', '.gitignore': 'node_modules\n.nx/\n.tundish/\nmodels/*/out/\nmodels/*/artifacts/\n', ...files });
  }

  /** Third-party packages are links into the repository's node_modules, ours are copies of what would be published. */
  linkPackages(): void {
    const modules = join(this.root, 'node_modules');
    mkdirSync(join(modules, '@tundish'), { recursive: true });
    for (const name of readdirSync(join(REPOSITORY, 'node_modules'))) {
      const source = join(REPOSITORY, 'node_modules', name);
      if (name === COPIED) linkContents(source, join(modules, name), 'package.json');
      else if (name !== '@tundish') symlinkSync(source, join(modules, name));
    }
    const ours = readdirSync(join(REPOSITORY, 'packages')).map((name) => join(REPOSITORY, 'packages', name));
    for (const source of [...ours, join(REPOSITORY, 'native')]) {
      for (const part of PUBLISHED) if (existsSync(join(source, part))) cpSync(join(source, part), join(modules, '@tundish', basename(source), part), { recursive: true });
    }
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.root, path)), { recursive: true });
      writeFileSync(join(this.root, path), text);
    }
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  /** Commits everything, as Nx expects of a workspace. */
  async commit(): Promise<void> {
    for (const args of [['init', '-q', '-b', 'main'], ['add', '-A'], ['-c', 'user.name=e2e', '-c', 'user.email=e2e@example.org', 'commit', '-q', '-m', 'start']]) await this.#run('git', args, {});
  }

  /** Links the packages, writes the lock of each model, and commits: ready to build. */
  async install(): Promise<void> {
    this.linkPackages();
    await this.commit();
    const { code, output } = await this.nx(['generate', '@tundish/nx:lock']);
    if (code !== 0) throw new Error(output);
    await this.commit();
  }

  /** @param input what its standard input holds; nothing when absent */
  nx(args: readonly string[], environment: Readonly<Record<string, string>> = {}, input?: string): Promise<Finished> {
    return this.#run(process.execPath, [this.#program('nx'), ...args], environment, { input });
  }

  /** Runs nx and sends SIGINT, as Ctrl-C does, as soon as the output matches. */
  nxInterrupted(args: readonly string[], when: RegExp): Promise<Finished> {
    return this.#run(process.execPath, [this.#program('nx'), ...args], {}, { interruptWhen: when });
  }

  /** The command line without Nx. */
  tundish(args: readonly string[], input?: string, environment: Readonly<Record<string, string>> = {}): Promise<Finished> {
    return this.#run(process.execPath, [this.#program('tundish'), ...args], environment, { input });
  }

  /** Runs a command at a terminal, where a person answers what it says. */
  async atTerminal(program: 'nx' | 'tundish', args: readonly string[], dialogue: Dialogue, environment: Readonly<Record<string, string>> = {}): Promise<Finished> {
    const started = performance.now();
    const ended = await runAtTerminal([process.execPath, this.#program(program), ...args], dialogue, { cwd: this.root, env: this.#environment(environment) });
    return { ...ended, seconds: (performance.now() - started) / 1000 };
  }

  /** A line for a POSIX shell. */
  sh(line: string, environment: Readonly<Record<string, string>> = {}): Promise<Finished> {
    return this.#run('/bin/sh', ['-ec', line], environment);
  }

  /** A program of the workspace. */
  node(args: readonly string[]): Promise<Finished> {
    return this.#run(process.execPath, args, {});
  }

  npm(args: readonly string[]): Promise<Finished> {
    return this.#run('npm', args, {});
  }

  /** Tasks of the newest run that left a record. @param since names of the run folders that were there before */
  ran(since: readonly string[]): Ran {
    const folder = join(this.root, '.tundish/runs');
    const fresh = this.runs().filter((name) => !since.includes(name));
    const records = fresh.flatMap((run) => readdirSync(join(folder, run)).filter((file) => file.endsWith('.json')).map((file) => JSON.parse(readFileSync(join(folder, run, file), 'utf8')) as { task: string; status: 'run' | 'cached' }));
    return Object.fromEntries(records.map(({ task, status }) => [task.replace(/^[^:/]+[:/]/, ''), status]).sort());
  }

  runs(): string[] {
    const folder = join(this.root, '.tundish/runs');
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  async remove(): Promise<void> {
    await this.nx(['daemon', '--stop']);
    rmSync(dirname(this.root), { recursive: true, force: true });
  }

  #program(name: 'nx' | 'tundish'): string {
    return join(this.root, 'node_modules', name === 'nx' ? 'nx/dist/bin/nx.js' : '@tundish/cli/bin/tundish.js');
  }

  #environment(changes: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
    return { ...withoutCi(process.env), CI: 'false', NO_COLOR: '1', NX_TUI: 'false', NX_DAEMON: 'false', NX_CACHE_DIRECTORY: join(this.#state, 'cache'), NX_WORKSPACE_DATA_DIRECTORY: join(this.#state, 'data'), ...changes };
  }

  #run(command: string, args: readonly string[], environment: Readonly<Record<string, string>>, { input, interruptWhen }: { readonly input?: string | undefined; readonly interruptWhen?: RegExp } = {}): Promise<Finished> {
    const started = performance.now();
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, { cwd: this.root, env: this.#environment(environment), stdio: ['pipe', 'pipe', 'pipe'] });
      // A command that does not read its input may end before it is written.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input ?? '');
      const chunks: Buffer[] = [];
      let interrupted = false;
      child.stdout.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        if (interrupted || interruptWhen?.test(Buffer.concat(chunks).toString('utf8')) !== true) return;
        interrupted = true;
        child.kill('SIGINT');
      });
      child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, output: Buffer.concat(chunks).toString('utf8'), seconds: (performance.now() - started) / 1000 }));
    });
  }
}

/** Everything by which Nx or npm would know the surrounding run. */
function withoutCi(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(NX_|npm_|INIT_CWD|FORCE_COLOR|TUNDISH_|VITEST|NODE_ENV|NODE_OPTIONS)/.test(name)));
}

/** A folder of links to the contents of another, with one file copied. */
function linkContents(source: string, destination: string, copied: string): void {
  mkdirSync(destination);
  for (const name of readdirSync(source)) {
    if (name === copied) cpSync(join(source, name), join(destination, name));
    else symlinkSync(join(source, name), join(destination, name));
  }
}
