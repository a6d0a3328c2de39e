/** From recipe.yaml and the files it names to the lock: what the plugin compares on every command. */
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MODEL_TYPES } from '@tundish/architectures/model-types';
import { readModelConfig } from '@tundish/checkpoint/config';
import { GGUF_IMPORT_VERSION } from '@tundish/checkpoint/gguf/version';
import { type Reporter, messageOf, silentReporter } from '@tundish/diagnostics';
import type { Lock, LockSource } from '@tundish/recipe/lock';
import { type CheckpointReference, type Recipe, type RecipeFile, calibrationText, parseCheckpointReference, resolveRecipe, withNamedChain } from '@tundish/recipe/resolve';
import type { QuantizeRecipeName } from '@tundish/recipe/technique';
import { type BlobRef, type FileDigests, openFileDigests } from '@tundish/store';
import { CodeDigests } from './code/code-digests.js';
import { resolveCustomStages } from './custom/resolve-custom-stages.js';
import { stageError } from './errors.js';
import { type ModelLayout, modelLayout } from './layout.js';
import { locateSource } from './locate-source.js';
import { digestIfThere, pinQuantizeSource } from './pin-quantize-source.js';
import { type RememberedRecipeRequest, rememberedRecipe } from './remembered-recipe.js';
import { type CheckpointFacts, calibrationStandIn, checkpointStandIn, isAbsence, quantizeSourceStandIn } from './stand-in.js';

export interface ResolveLockRequest {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  readonly cacheRoot: string;
  readonly hubCache: string;
  /** Version of a toolchain by its name, found without loading its libraries; undefined where it is not installed: then the lock on disk says which is meant. */
  readonly toolchainVersion: (name: string) => Promise<string | undefined>;
  readonly hub?: { readonly token?: string; readonly offline?: boolean };
  readonly reporter?: Reporter;
  readonly signal?: AbortSignal;
  /** Leaves the memory of digests as it is and imports nothing. */
  readonly readOnly?: boolean;
  /** Absolute path of the recipe that is meant instead of the model's recipe.yaml; what it names is relative to the model's folder too. */
  readonly recipePath?: string;
  /** Stands for all that the recipe says of techniques. */
  readonly chain?: QuantizeRecipeName;
  /** Stands for the files that it pins, as far as they are not on this machine; none of them is then downloaded. */
  readonly standIn?: Lock | undefined;
}

/** Files that make up a checkpoint; anything else in its folder (goldens, texts, licences) is not part of it. */
const CHECKPOINT_FILE = /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens)\.json$|^chat_template\.(jinja|json)$|^tokenizer\.model$|^model[^/]*\.safetensors(\.index\.json)?$/;

/**
 * Resolves the recipe of a model against what is on disk now. Digests are remembered by file identity, so an unchanged
 * checkpoint is not read.
 *
 * @throws the errors of recipes and checkpoints, each with line or file; STAGE_IMPORT_MISSING with `readOnly`
 */
export async function resolveLock(request: ResolveLockRequest): Promise<Lock> {
  const layout = modelLayout(request.workspaceRoot, request.modelRoot);
  const remember = request.readOnly !== true;
  const code = new CodeDigests(request.cacheRoot, remember);
  const file = await readRecipe(request, layout, { code, remember });
  const digests = openFileDigests(request.cacheRoot);
  const { standIn } = request;
  const checkpoint = await checkpointFacts(request, layout.root, file, digests);
  const text = calibrationText(file.recipe);
  const calibration = text === undefined ? undefined : ((await digestIfThere(digests, resolve(layout.root, text), request.signal)) ?? (standIn === undefined ? undefined : calibrationStandIn(standIn, text)));
  const pins = await pinQuantizeSource({ recipe: file.recipe, root: layout.root, cacheRoot: request.cacheRoot, digests, remember, ...(request.signal === undefined ? {} : { signal: request.signal }) });
  const quantizeSource = standIn === undefined ? pins : quantizeSourceStandIn(standIn, file.recipe, pins, layout.root);
  const lock = resolveRecipe({
    ...checkpoint,
    file,
    model: layout.model,
    ...(calibration === undefined ? {} : { calibration }),
    ...(quantizeSource === undefined ? {} : { quantizeSource }),
    toolchainVersion: (await request.toolchainVersion(file.recipe.toolchain)) ?? (await pinnedVersion(layout, file.recipe.toolchain)),
    custom: await resolveCustomStages({ file, root: layout.root, cacheRoot: request.cacheRoot, code, remember }),
  });
  // What is not saved costs the next process a look at a few modules.
  await code.save().catch(() => undefined);
  if (remember) await digests.save();
  return lock;
}

/** @throws STAGE_TOOLCHAIN_MISSING where there is no lock of this toolchain */
async function pinnedVersion(layout: ModelLayout, name: string): Promise<string> {
  const text = await readFile(layout.lock, 'utf8').catch(() => '{}');
  const { toolchain } = (JSON.parse(text) as Partial<Lock>).stages?.compile ?? {};
  if (toolchain?.name === name) return toolchain.version;
  throw stageError('STAGE_TOOLCHAIN_MISSING', { what: `the libraries of toolchain: ${name} are not installed`, why: 'without them, or a lock that names their version, nothing can be pinned', evidence: { path: layout.recipe }, fix: `npx tundish toolchain install ${name} --accept-licence` });
}

async function readRecipe({ cacheRoot, recipePath, chain }: ResolveLockRequest, layout: ModelLayout, remembering: Pick<RememberedRecipeRequest, 'code' | 'remember'>): Promise<RecipeFile> {
  const path = recipePath ?? layout.recipe;
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw stageError('STAGE_RECIPE_MISSING', { what: `the recipe of ${layout.model} cannot be read`, why: messageOf(cause), evidence: { path }, fix: 'write it; its one required line is `checkpoint: FOLDER`', cause });
  });
  const file = await rememberedRecipe(bytes, { path, cacheRoot, ...remembering });
  return chain === undefined ? file : withNamedChain(file, chain);
}

async function checkpointFacts(request: ResolveLockRequest, root: string, { recipe }: RecipeFile, digests: FileDigests): Promise<CheckpointFacts> {
  // parseRecipe has refused everything that is no reference.
  const reference = parseCheckpointReference(recipe.checkpoint) as CheckpointReference;
  const standIn = request.standIn === undefined ? undefined : checkpointStandIn(request.standIn, reference, recipe);
  const options = { ...request, baseFolder: root, ...(standIn === undefined ? {} : { hub: { ...request.hub, offline: true } }) };
  const located = await locateSource(reference.kind === 'gguf' ? { ...reference, import: recipe.import } : reference, options).catch((error: unknown) => {
    if (standIn !== undefined && isAbsence(error)) return undefined;
    throw error;
  });
  if (located === undefined) return standIn as CheckpointFacts;
  const { folder, commit, file } = located;
  const { config } = await readModelConfig(join(folder, 'config.json'), MODEL_TYPES);
  const source = await pinSource(folder, originOf(reference, recipe, { commit, file }), digests, request);
  return { source, layers: config.numHiddenLayers, maxPositionEmbeddings: config.maxPositionEmbeddings };
}

/** What the lock says of a checkpoint beside the digests of its files. */
type LockOrigin = LockSource extends infer Source ? (Source extends LockSource ? Omit<Source, 'files'> : never) : never;

function originOf(reference: CheckpointReference, recipe: Recipe, { commit, file }: { readonly commit: string | undefined; readonly file: BlobRef | undefined }): LockOrigin {
  if (reference.kind === 'hub') return { kind: 'hub', location: reference.location, revision: commit ?? reference.revision ?? 'main' };
  if (file !== undefined) return { kind: 'gguf', location: reference.location, file, import: recipe.import, importer: GGUF_IMPORT_VERSION };
  return { kind: 'folder', location: recipe.checkpoint };
}

async function pinSource(folder: string, origin: LockOrigin, digests: FileDigests, { reporter = silentReporter, signal }: ResolveLockRequest): Promise<LockSource> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => CHECKPOINT_FILE.test(name));
  const wrong = entries.find((entry) => entry.isDirectory());
  if (wrong !== undefined) throw stageError('STAGE_REQUIRES', { what: `${wrong.name} of the checkpoint is a directory, a file was expected`, evidence: { path: join(folder, wrong.name) }, fix: 'put the file of that name there' });
  const files: Record<string, BlobRef> = {};
  const names = entries.map((entry) => entry.name).sort();
  let next = 0;
  for await (const ref of digests.each(names.map((name) => join(folder, name)), reporter, signal)) files[names[next++] as string] = ref;
  return { ...origin, files };
}
