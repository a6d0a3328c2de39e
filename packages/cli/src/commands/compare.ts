/** compare: several recipes over one checkpoint, quantized and measured side by side; the model itself stays as it is. */
import type { Reporter } from '@tundish/diagnostics';
import { type RecipeResult, formatRecipeTable } from '@tundish/evaluate';
import type { Lock } from '@tundish/recipe/lock';
import { Pipeline, type PipelineRequest, resolveLock } from '@tundish/stages';
import { canonicalJson } from '@tundish/store';
import { type AskedRecipe, askedRecipes } from '../compare/asked-recipes.js';
import { type BuiltRecipe, buildRecipe } from '../compare/built-recipe.js';
import { cliError } from '../errors.js';
import { type WindowOptions, evaluationWindows } from '../evaluation-windows.js';
import { type Io, ioReporter } from '../io.js';
import { stageSource } from '../logit-sources.js';
import { describeMeasurement, measureStudents } from '../measured-students.js';
import { withRemote } from '../remote-results.js';
import { programSetup } from '../program-setup.js';

export interface CompareOptions extends WindowOptions {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  /** Named chains, each in place of the techniques of recipe.yaml, and `NAME=FILE` for other recipes. */
  readonly recipes: readonly string[];
  readonly threads: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** A line of the table, and whether quantize ran for it now. */
type ComparedRecipe = RecipeResult & Pick<BuiltRecipe, 'status'>;

/** Prints a table or JSON. @throws CLI_USAGE, CLI_COMPARE_CHECKPOINT, CLI_EVALUATE_*, the errors of recipes and stages; what was finished stays cached */
export async function compareCommand(options: CompareOptions, io: Io): Promise<void> {
  const asked = askedRecipes(options.recipes);
  const reporter = ioReporter(io);
  const results = await compareRecipes(asked, options, reporter).finally(() => reporter.close());
  io.out(options.json ? `${JSON.stringify(results, null, 2)}\n` : tableOf(results));
}

async function compareRecipes(asked: readonly AskedRecipe[], options: CompareOptions, reporter: Reporter): Promise<ComparedRecipe[]> {
  const { modelRoot, threads, signal } = options;
  const request = { ...programSetup(options.workspaceRoot), modelRoot, threads, signal, reporter, ...(await withRemote({ reporter, signal })) };
  const own = await resolveLock(request);
  const locks = new Map<string, Lock>();
  for (const { name, ...change } of asked) locks.set(name, sameCheckpoint(name, await resolveLock({ ...request, ...change }), own));
  const pipeline = Pipeline.ofVariant(request, own);
  // Before anything is quantized, since that may take hours.
  const { windows, protocol } = await evaluationWindows(options, pipeline);
  const built = await buildAll(locks, request);
  const tokens = Math.max(...windows.map(({ length }) => length)) - 1;
  const students = new Map(built.map(({ name, pipeline: variant, stage }) => [name, () => stageSource(variant, stage, tokens, options)]));
  const results = await measureStudents({ pipeline, students, options, tokens, reporter, protocol, windows });
  return results.map((result, i) => {
    const { status, cost } = built[i] as BuiltRecipe;
    return { ...result, status, ...cost };
  });
}

/** All before any is opened: their memory is then that of a build. */
async function buildAll(locks: ReadonlyMap<string, Lock>, request: PipelineRequest): Promise<BuiltRecipe[]> {
  const built: BuiltRecipe[] = [];
  for (const [name, lock] of locks) built.push(await buildRecipe(name, lock, request));
  return built;
}

/** The lock, when it is of the checkpoint that all are held against. */
function sameCheckpoint(name: string, lock: Lock, own: Lock): Lock {
  if (canonicalJson(lock.source.files) === canonicalJson(own.source.files)) return lock;
  throw cliError('CLI_COMPARE_CHECKPOINT', { what: `the recipe ${name} is of another checkpoint`, why: `it names ${lock.source.location}, recipe.yaml names ${own.source.location}, and their files differ`, fix: 'compare recipes of one checkpoint' });
}

function tableOf(results: readonly ComparedRecipe[]): string {
  const ran = results.filter(({ status }) => status === 'run').length;
  return `${formatRecipeTable(results)}\n${describeMeasurement(results)}\ntime and memory: of quantize when it ran, now for ${ran} of ${results.length}\n`;
}
