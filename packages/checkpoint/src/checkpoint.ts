/** Opens a Hugging Face checkpoint folder: configuration, and every tensor as a byte range of its file. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import type { Reporter } from '@tundish/diagnostics';
import { fault } from './errors.js';
import type { GenerationConfig, ModelConfig } from './model-config.js';
import { exists } from './read-file.js';
import { readGenerationConfig, readModelConfig } from './read-config.js';
import type { SafetensorsTensor } from './safetensors.js';
import { readWeights } from './weights.js';

/** A tensor and the file that holds it: a name inside the folder, for example `model.safetensors`. */
export interface CheckpointTensor extends SafetensorsTensor {
  readonly file: string;
}

export interface CheckpointFile {
  readonly name: string;
  /** Absolute; may be a symbolic link, as in the hub cache. */
  readonly path: string;
}

export interface Checkpoint {
  /** Absolute. */
  readonly folder: string;
  readonly config: ModelConfig;
  readonly generationConfig: GenerationConfig;
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Tensors that a shard holds and the index does not name: file by tensor name. */
  readonly unindexed: ReadonlyMap<string, string>;
  /** What belongs to the checkpoint and is there, sorted by name; other files of the folder are not ours. */
  readonly files: readonly CheckpointFile[];
  readonly warnings: readonly string[];
}

export interface OpenCheckpointOptions {
  /** Values of model_type that the architectures of this build can load. */
  readonly knownModelTypes: readonly string[];
  readonly reporter?: Reporter;
  readonly signal?: AbortSignal;
}

/** Files beside the weights that a build reads; the hub download takes the same ones. */
export const COMPANION_FILES: readonly string[] = [
  'chat_template.jinja',
  'config.json',
  'generation_config.json',
  'special_tokens_map.json',
  'tokenizer.json',
  'tokenizer_config.json',
];

/**
 * Reads config.json and the headers of the weights, no tensor byte. Shapes are checked later, by the architecture.
 *
 * @throws TundishError CHECKPOINT_*, CONFIG_*, SAFETENSORS_*
 */
export async function openCheckpoint(folder: string, options: OpenCheckpointOptions): Promise<Checkpoint> {
  const root = resolve(folder);
  await requireFolder(root);
  const { config, warnings: configWarnings } = await readModelConfig(join(root, 'config.json'), options.knownModelTypes);
  options.signal?.throwIfAborted();
  const weights = await readWeights(root, options.signal);
  refuseImpossibleDepth(root, config, weights.tensors.size);
  const companions: string[] = [];
  for (const name of COMPANION_FILES) if (await exists(join(root, name))) companions.push(name);
  const generationConfig = companions.includes('generation_config.json') ? await readGenerationConfig(join(root, 'generation_config.json'), config.vocabSize) : {};
  const warnings = [...configWarnings, ...weights.warnings];
  const reporter = options.reporter ?? silentReporter;
  for (const warning of warnings) reporter.warn(warning);
  const files = [...companions, ...weights.files].sort().map((name) => ({ name, path: join(root, name) }));
  return { folder: root, config, generationConfig, tensors: weights.tensors, unindexed: weights.unindexed, files, warnings };
}

async function requireFolder(path: string): Promise<void> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory() === true) return;
  throw fault('CHECKPOINT_FOLDER_NOT_FOUND', {
    what: status === undefined ? `checkpoint folder ${path} not found` : `${path} is not a folder`,
    evidence: { path },
    fix: 'Give the folder that holds config.json and model.safetensors, or a hub id org/name.',
  });
}

/** Every layer has at least one tensor: a claim beyond that must not become a list of its names. */
function refuseImpossibleDepth(folder: string, config: ModelConfig, tensorCount: number): void {
  if (config.numHiddenLayers <= tensorCount) return;
  throw fault('CHECKPOINT_TENSOR_MISSING', {
    what: `config.json asks for num_hidden_layers ${config.numHiddenLayers}, the weights hold only ${tensorCount} tensors`,
    evidence: { path: join(folder, 'config.json'), detail: 'field num_hidden_layers' },
    fix: 'Correct num_hidden_layers, or download the complete weights.',
  });
}
