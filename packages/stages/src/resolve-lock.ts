/** From recipe.yaml and the files it names to the lock: what the plugin compares on every command. */
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MODEL_TYPES } from '@tundish/architectures/model-types';
import { locateCheckpoint, readModelConfig } from '@tundish/checkpoint';
import { type Reporter, messageOf, silentReporter } from '@tundish/diagnostics';
import { type Lock, type LockSource, type RecipeFile, calibrationText, parseCheckpointReference, parseRecipe, resolveRecipe } from '@tundish/recipe';
import { type BlobRef, type FileDigests, openFileDigests } from '@tundish/store';
import { stageError } from './errors.js';
import { modelLayout } from './layout.js';
import { IMPLEMENTATIONS } from './plan.js';

export interface ResolveLockRequest {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  readonly cacheRoot: string;
  readonly hubCache: string;
  /** Version of an installed toolchain by its name, found without loading its libraries. */
  readonly toolchainVersion: (name: string) => Promise<string>;
  readonly hub?: { readonly token?: string; readonly offline?: boolean };
  readonly reporter?: Reporter;
  readonly signal?: AbortSignal;
}

/** Files that make up a checkpoint; anything else in its folder (goldens, texts, licences) is not part of it. */
const CHECKPOINT_FILE = /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens)\.json$|^chat_template\.(jinja|json)$|^tokenizer\.model$|^model[^/]*\.safetensors(\.index\.json)?$/;

/**
 * Resolves the recipe of a model against what is on disk now. Digests are remembered by file identity, so an unchanged
 * checkpoint is not read.
 *
 * @throws the errors of recipes and checkpoints, each with line or file
 */
export async function resolveLock(request: ResolveLockRequest): Promise<Lock> {
  const layout = modelLayout(request.workspaceRoot, request.modelRoot);
  const bytes = await readFile(layout.recipe).catch((cause: unknown) => {
    throw stageError('STAGE_RECIPE_MISSING', { what: `the recipe of ${layout.model} cannot be read`, why: messageOf(cause), evidence: { path: layout.recipe }, fix: 'write it; its one required line is `checkpoint: FOLDER`', cause });
  });
  const file = parseRecipe(bytes, layout.recipe);
  const digests = openFileDigests(request.cacheRoot);
  const located = await locate(request, layout.root, file);
  const { config } = await readModelConfig(join(located.folder, 'config.json'), MODEL_TYPES);
  const text = calibrationText(file.recipe);
  const calibration = text === undefined ? undefined : await digestIfThere(digests, resolve(layout.root, text), request.signal);
  const lock = resolveRecipe({
    file,
    model: layout.model,
    source: await pinSource(located, digests, request),
    ...(calibration === undefined ? {} : { calibration }),
    maxPositionEmbeddings: config.maxPositionEmbeddings,
    layers: config.numHiddenLayers,
    toolchainVersion: await request.toolchainVersion(file.recipe.toolchain),
    implementations: IMPLEMENTATIONS,
  });
  await digests.save();
  return lock;
}

interface Located {
  readonly folder: string;
  readonly source: { readonly kind: 'folder'; readonly location: string } | { readonly kind: 'hub'; readonly location: string; readonly revision: string };
}

async function locate(request: ResolveLockRequest, root: string, { recipe }: RecipeFile): Promise<Located> {
  const reference = parseCheckpointReference(recipe.checkpoint);
  const { folder, commit } = await locateCheckpoint(recipe.checkpoint, { baseFolder: root, cacheFolder: request.hubCache, reporter: request.reporter ?? silentReporter, ...request.hub });
  if (reference?.kind !== 'hub') return { folder, source: { kind: 'folder', location: recipe.checkpoint } };
  return { folder, source: { kind: 'hub', location: reference.location, revision: commit ?? reference.revision ?? 'main' } };
}

async function pinSource({ folder, source }: Located, digests: FileDigests, { reporter = silentReporter, signal }: ResolveLockRequest): Promise<LockSource> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => CHECKPOINT_FILE.test(name));
  const wrong = entries.find((entry) => entry.isDirectory());
  if (wrong !== undefined) throw stageError('STAGE_REQUIRES', { what: `${wrong.name} of the checkpoint is a directory, a file was expected`, evidence: { path: join(folder, wrong.name) }, fix: 'put the file of that name there' });
  const files: Record<string, BlobRef> = {};
  const names = entries.map((entry) => entry.name).sort();
  let next = 0;
  for await (const ref of digests.each(names.map((name) => join(folder, name)), reporter, signal)) files[names[next++] as string] = ref;
  return { ...source, files };
}

/** A missing text is the recipe's error to report, with the line that names it. */
async function digestIfThere(digests: FileDigests, path: string, signal: AbortSignal | undefined): Promise<BlobRef | undefined> {
  try {
    return await digests.digest(path, signal);
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
    if (cause?.code === 'ENOENT') return undefined;
    throw error;
  }
}
