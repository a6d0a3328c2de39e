/** A model over installed copies of our packages, built once; rows change copies of it and say which stages ran. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { silentReporter } from '@tundish/diagnostics';
import type * as Recipe from '@tundish/recipe';
import type * as Stages from '@tundish/stages';
import type { Toolchain } from '@tundish/toolchain';
import type * as Host from '@tundish/toolchain-host';
import type * as Qairt from '@tundish/toolchain-qairt';
import { qairtPlaces } from '@tundish/cli/environment';
import { CHECKPOINT, NxWorkspace } from '../e2e/nx-workspace.js';

/** One graph of the bundled checkpoint: a build takes seconds. */
export const RECIPE = `checkpoint: ./checkpoint
graphs: { ar: [16], cl: [64], parts: 1 }
quantize: { recipe: minmax, calibration: { windows: 2, windowLength: 48 } }
`;
export const MODEL_ROOT = 'models/mini';
/** Files of the bundled checkpoint that only its own tests read. */
const NOT_NEEDED = /golden|protocol|reference/;

/** Our packages as installed in a workspace, where a row may change their files. */
export class Installation {
  private constructor(
    readonly workspace: NxWorkspace,
    readonly stages: typeof Stages,
    readonly host: typeof Host,
    readonly recipe: typeof Recipe,
    readonly qairt: typeof Qairt,
  ) {}

  static async make(): Promise<Installation> {
    const workspace = new NxWorkspace({
      'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "parallel": 2, "plugins": ["@tundish/nx/plugin"] }\n',
      'package-lock.json': '{ "name": "keys", "lockfileVersion": 3, "packages": {} }\n',
    });
    workspace.linkPackages();
    const load = async (name: string): Promise<unknown> => import(/* @vite-ignore */ pathToFileURL(join(workspace.root, 'node_modules/@tundish', name, 'dist/index.js')).href);
    return new Installation(workspace, (await load('stages')) as typeof Stages, (await load('toolchain-host')) as typeof Host, (await load('recipe')) as typeof Recipe, (await load('toolchain-qairt')) as typeof Qairt);
  }

  toolchain(name: string): Toolchain {
    return name === 'host' ? this.host.hostToolchain() : this.qairt.qairtToolchain(qairtPlaces);
  }

  /** As the surfaces say it: undefined where the libraries are missing. */
  async version(name: string): Promise<string | undefined> {
    const toolchain = this.toolchain(name);
    return toolchain.absent?.('') === undefined ? (await toolchain.identity()).version : undefined;
  }

  /** A file of an installed package. */
  file(path: string): string {
    return join(this.workspace.root, 'node_modules', path);
  }
}

/** The stages of one build of which a unit ran, in their order. */
export type RanStages = readonly string[];

let copies = 0;

export class Model {
  private constructor(readonly installation: Installation, /** Of the workspace. */ readonly root: string) {}

  /** A checkpoint, the bundled one when none is named, with a recipe; not yet built. @param root a new folder when absent */
  static make(installation: Installation, { recipe = RECIPE, checkpoint = CHECKPOINT, root = newFolder(installation) }: { recipe?: string; checkpoint?: string; root?: string } = {}): Model {
    const model = new Model(installation, root);
    cpSync(checkpoint, model.path('checkpoint'), { recursive: true, filter: (path) => !NOT_NEEDED.test(path.slice(checkpoint.length)) });
    model.write('recipe.yaml', recipe);
    model.write('project.json', '{ "name": "mini" }\n');
    return model;
  }

  get cacheRoot(): string {
    return join(this.root, '.tundish/cache');
  }

  path(relative: string): string {
    return join(this.root, MODEL_ROOT, relative);
  }

  read(relative: string): string {
    return readFileSync(this.path(relative), 'utf8');
  }

  write(relative: string, text: string): void {
    mkdirSync(dirname(this.path(relative)), { recursive: true });
    writeFileSync(this.path(relative), text);
  }

  edit(relative: string, change: (text: string) => string): void {
    const before = this.read(relative);
    const after = change(before);
    if (after === before) throw new Error(`${relative}: nothing changed`);
    this.write(relative, after);
  }

  /** The model with its store under another root; times of files are kept. */
  copy(): Model {
    const root = newFolder(this.installation);
    mkdirSync(join(root, 'models'), { recursive: true });
    execFileSync('cp', ['-a', this.path('.'), join(root, MODEL_ROOT)]);
    if (existsSync(this.cacheRoot)) {
      mkdirSync(join(root, '.tundish'));
      execFileSync('cp', ['-a', this.cacheRoot, join(root, '.tundish/cache')]);
    }
    return new Model(this.installation, root);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  async lock(): Promise<Recipe.Lock> {
    const { stages, recipe } = this.installation;
    const lock = await stages.resolveLock({
      workspaceRoot: this.root, modelRoot: MODEL_ROOT, cacheRoot: this.cacheRoot, hubCache: join(this.root, 'hub'), hub: { offline: true },
      toolchainVersion: async (name) => this.installation.version(name),
    });
    writeFileSync(this.path('recipe.lock.json'), recipe.encodeLock(lock));
    return lock;
  }

  /** Locks and builds. @param last stage at which to stop */
  async build(last = 'package', change: Partial<Stages.PipelineRequest> = {}): Promise<RanStages> {
    const { stages, host } = this.installation;
    const lock = await this.lock();
    const pipeline = await stages.Pipeline.open({
      workspaceRoot: this.root, modelRoot: MODEL_ROOT, cacheRoot: this.cacheRoot, hubCache: join(this.root, 'hub'),
      adapters: { toolchain: (name) => this.installation.toolchain(name), reference: () => host.hostReference() },
      reporter: silentReporter, signal: new AbortController().signal, threads: 2, inputsInPlace: false, ...change,
    });
    const ran = new Set<string>();
    for (const unit of stages.unitsOf(lock)) {
      if ((await pipeline.run(unit)).status === 'run') ran.add(unit.stage);
      if (unit.stage === last) break;
    }
    return [...ran];
  }

  /** Bytes of stage.json of a stage of the whole model. */
  manifest(stage: string): string {
    return this.read(`out/${stage}/stage.json`);
  }

  /** Cache entries of an operation. */
  entries(operation: string): string[] {
    const folder = join(this.cacheRoot, 'mini');
    return existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(`${operation}_`)) : [];
  }

  /** The blob of an output. */
  blob(stage: string, output: string): string {
    const { outputs } = JSON.parse(this.manifest(stage)) as { outputs: { name: string; sha256: string }[] };
    const digest = outputs.find(({ name }) => name === output)?.sha256 ?? '';
    return join(this.cacheRoot, 'blobs/sha256', digest.slice(0, 2), digest);
  }
}

/** Beside the workspace, and gone with it. */
function newFolder({ workspace }: Installation): string {
  copies += 1;
  return join(dirname(workspace.root), 'copies', `${copies}`);
}

/** Flips one bit of a file and gives it back its times. */
export function flipBit(path: string, at = -2): void {
  const { atime, mtime } = statSync(path);
  const bytes = readFileSync(path);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] as number) ^ 1;
  rmSync(path);
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
}
