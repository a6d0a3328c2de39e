/** Workspaces in temporary folders with one model, and pipelines over them with the real host toolchain. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentReporter } from '@tundish/diagnostics';
import { type Lock, encodeLock } from '@tundish/recipe';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { afterAll } from 'vitest';
import { Pipeline, type PipelineRequest, type UnitRun, resolveLock, unitName, unitsOf } from '../src/index.js';

export function repositoryPath(relative: string): string {
  return fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
}

/** Two layers of width 64, in float32, float16 and bfloat16. */
const TINY = repositoryPath('test/fixtures/golden/llama-mixed-dtype');
/** A tokenizer of 27 letters, which TINY lacks. */
const TOKENIZER = repositoryPath('test/fixtures/bad/checkpoints/tokenizer-control/tokenizer.json');

export const FLOAT_RECIPE = 'checkpoint: ./checkpoint\ngraphs: { ar: [1, 8], cl: [32], parts: 2 }\nquantize: none\n';
export const QUANTIZED_RECIPE = `checkpoint: ./checkpoint
graphs: { ar: [1, 8], cl: [32], parts: 2 }
quantize: { recipe: minmax, weights: { scheme: lpbq, bits: 4, blockSize: 16 }, calibration: { text: ./calibration.txt, windows: 2, windowLength: 8 } }
`;
export const WEIGHTS_ONLY_RECIPE = QUANTIZED_RECIPE.replace(/calibration: .*/, 'activations: none }');
export const MODEL_ROOT = 'models/tiny';

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tundish-stages-')));
  folders.push(folder);
  return folder;
}

/** Every file below a folder, relative, sorted; none when the folder is not there. */
export function filesBelow(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
  } catch {
    return [];
  }
}

export class Workspace {
  readonly model = MODEL_ROOT;

  constructor(readonly root: string, readonly cacheRoot: string) {}

  /** A copy of `checkpoint` with a recipe and a calibration text. */
  static make(recipe: string, checkpoint = TINY): Workspace {
    const root = temporaryFolder();
    mkdirSync(join(root, MODEL_ROOT), { recursive: true });
    cpSync(checkpoint, join(root, MODEL_ROOT, 'checkpoint'), { recursive: true, filter: (path) => !path.includes('golden.') });
    if (checkpoint === TINY) cpSync(TOKENIZER, join(root, MODEL_ROOT, 'checkpoint', 'tokenizer.json'));
    writeFileSync(join(root, MODEL_ROOT, 'calibration.txt'), 'the quick brown fox jumps over the lazy dog ');
    writeFileSync(join(root, MODEL_ROOT, 'recipe.yaml'), recipe);
    return new Workspace(root, join(root, '.tundish', 'cache'));
  }

  path(relative: string): string {
    return join(this.root, MODEL_ROOT, relative);
  }

  write(relative: string, text: string): void {
    writeFileSync(this.path(relative), text);
  }

  /** Resolves the recipe and writes the lock. */
  async lock(): Promise<Lock> {
    const lock = await this.resolve();
    writeFileSync(this.path('recipe.lock.json'), encodeLock(lock));
    return lock;
  }

  async resolve(): Promise<Lock> {
    return resolveLock({ workspaceRoot: this.root, modelRoot: MODEL_ROOT, cacheRoot: this.cacheRoot, hubCache: join(this.root, 'hub'), hub: { offline: true }, toolchainVersion: async () => (await hostToolchain().identity()).version });
  }

  request(change: Partial<PipelineRequest> = {}): PipelineRequest {
    return {
      workspaceRoot: this.root,
      modelRoot: MODEL_ROOT,
      cacheRoot: this.cacheRoot,
      hubCache: join(this.root, 'hub'),
      adapters: { toolchain: () => hostToolchain(), reference: () => hostReference() },
      reporter: silentReporter,
      signal: new AbortController().signal,
      threads: 1,
      inputsInPlace: false,
      ...change,
    };
  }

  open(change: Partial<PipelineRequest> = {}): Promise<Pipeline> {
    return Pipeline.open(this.request(change));
  }

  /** Locks, runs every unit up to `last`, and says what became of each. */
  async build(last: string, change: Partial<PipelineRequest> = {}): Promise<Map<string, UnitRun>> {
    const lock = await this.lock();
    const pipeline = await this.open(change);
    const runs = new Map<string, UnitRun>();
    for (const unit of unitsOf(lock)) {
      runs.set(unitName(unit), await pipeline.run(unit));
      if (unit.stage === last && !unitsOf(lock).slice(runs.size).some(({ stage }) => stage === last)) break;
    }
    return runs;
  }

  /** Bytes of the stage.json of each unit, by its path below out/. */
  manifests(): Map<string, string> {
    return new Map(filesBelow(this.path('out')).map((file) => [file, readFileSync(this.path(join('out', file)), 'utf8')]));
  }

  /** Entries of the action cache, scratch left over, and stage.json files. */
  leftovers(): { readonly entries: string[]; readonly temporary: string[]; readonly manifests: string[] } {
    const temporary = join(this.cacheRoot, 'tmp');
    const entries = new Set(filesBelow(join(this.cacheRoot, 'tiny')).map((file) => file.split('/')[0] as string));
    return { entries: [...entries], temporary: existsSync(temporary) ? readdirSync(temporary) : [], manifests: [...this.manifests().keys()] };
  }
}

/** A workspace with the packages of this repository installed, and `files` in `stages/` beside the recipe of a floating-point build. */
export function workspaceWith(stages: string, files: Readonly<Record<string, string>>): Workspace {
  const workspace = Workspace.make(`${FLOAT_RECIPE}stages:\n${stages}`);
  mkdirSync(join(workspace.root, 'node_modules'));
  for (const name of ['@tundish', 'zod']) symlinkSync(repositoryPath(`node_modules/${name}`), join(workspace.root, 'node_modules', name));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(workspace.path(`stages/${name}`)), { recursive: true });
    writeFileSync(workspace.path(`stages/${name}`), text);
  }
  return workspace;
}

/** Names of the units that were run, not found. */
export function ran(runs: ReadonlyMap<string, UnitRun>): string[] {
  return [...runs].filter(([, { status }]) => status === 'run').map(([name]) => name);
}
