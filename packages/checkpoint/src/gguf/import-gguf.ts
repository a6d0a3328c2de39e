/** A GGUF file becomes the folder of a Hugging Face checkpoint. */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import type { Reporter } from '@tundish/diagnostics';
import type { FloatDtype } from '../dtype.js';
import { fault } from '../errors.js';
import { planImport } from './architectures.js';
import { refuseUnknownTypes } from './dequantize/dequantize.js';
import type { ImportPlan } from './planned-tensor.js';
import { readGgufHeader } from './read-header.js';
import { planTokenizer } from './tokenizer/plan-tokenizer.js';
import type { TokenRoles } from './tokenizer/vocabulary.js';
import { writeWeights } from './write-weights.js';

/** Names as in `torch_dtype` of config.json. */
export type ImportDtype = 'float16' | 'bfloat16' | 'float32';

export interface ImportGgufOptions {
  /** The GGUF file. */
  readonly path: string;
  /** An existing empty folder. */
  readonly folder: string;
  /** Of the tensors that the file has quantized or as float32. */
  readonly dtype: ImportDtype;
  /** Values of `general.architecture` to take; all that can be imported when absent. */
  readonly knownArchitectures?: readonly string[];
  readonly signal?: AbortSignal;
  /** Hears of warnings, and of every tensor that is written (`tensors`). */
  readonly reporter?: Reporter;
}

export interface ImportedGguf {
  /** Absolute. */
  readonly folder: string;
  /** Names of what was written, sorted. */
  readonly files: readonly string[];
  /** `general.architecture` of the file. */
  readonly architecture: string;
  /** How many tensors were written. */
  readonly tensors: number;
  /** How many of them had which type in the file, by type name, sorted. */
  readonly types: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
}

const DTYPES: Readonly<Record<ImportDtype, FloatDtype>> = { float16: 'F16', bfloat16: 'BF16', float32: 'F32' };

/**
 * Writes config.json, generation_config.json, tokenizer.json, tokenizer_config.json, special_tokens_map.json and one
 * model.safetensors; the same bytes for the same file and dtype. Values are dequantized exactly as ggml does and then
 * rounded half to even to `dtype`. Tensors of F16 and BF16 keep their type unless float32 is asked for; vectors of F32
 * (norms, biases) stay F32 where `dtype` does not hold their values exactly.
 * Everything is checked before the first byte is written; after a failure the folder is empty again. Memory does not
 * grow with the file.
 *
 * @throws TundishError GGUF_*, CHECKPOINT_FILE_NOT_FOUND, CHECKPOINT_FILE_UNREADABLE, CHECKPOINT_FOLDER_NOT_FOUND; the
 * reason of the signal when it aborts
 */
export async function importGguf(options: ImportGgufOptions): Promise<ImportedGguf> {
  const folder = resolve(options.folder);
  const reporter = options.reporter ?? silentReporter;
  options.signal?.throwIfAborted();
  await requireEmptyFolder(folder);
  const header = await readGgufHeader(options.path);
  const plan = await planImport(header, options.knownArchitectures);
  refuseUnknownTypes(header.path, plan.tensors.map(({ source }) => source));
  const tokenizer = planTokenizer(header, plan.config.vocab_size);
  for (const warning of plan.warnings) reporter.warn(warning);
  const texts = { ...configFiles(plan, tokenizer.roles, options.dtype), ...tokenizer.files };
  const files = [...Object.keys(texts), 'model.safetensors'].sort();
  try {
    for (const [name, value] of Object.entries(texts)) await writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`, { flag: 'wx' });
    await writeWeights(header.path, join(folder, 'model.safetensors'), plan.tensors, { dtype: DTYPES[options.dtype], reporter, signal: options.signal });
  } catch (error) {
    for (const name of files) await rm(join(folder, name), { force: true });
    throw error;
  }
  return { folder, files, architecture: header.architecture, tensors: plan.tensors.length, types: countTypes(plan), warnings: plan.warnings };
}

function configFiles(plan: ImportPlan, roles: TokenRoles, dtype: ImportDtype): Record<'config.json' | 'generation_config.json', object> {
  const stops = [...new Set([roles.eos, roles.eot, roles.eom])].filter((id) => id !== undefined);
  const edges = {
    ...(roles.bos === undefined ? {} : { bos_token_id: roles.bos }),
    ...(roles.padding === undefined ? {} : { pad_token_id: roles.padding }),
  };
  const stop = stops.length === 1 ? stops[0] : stops;
  return {
    'config.json': { ...plan.config, ...edges, ...(stops.length === 0 ? {} : { eos_token_id: stop }), torch_dtype: dtype },
    'generation_config.json': { ...edges, ...(stops.length === 0 ? {} : { eos_token_id: stops }) },
  };
}

function countTypes(plan: ImportPlan): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { source } of plan.tensors) counts.set(source.type.name, (counts.get(source.type.name) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function requireEmptyFolder(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw fault('CHECKPOINT_FOLDER_NOT_FOUND', { what: `${folder} is not a folder that can be read`, evidence: { path: folder }, fix: 'Make the folder first.', cause: error });
  });
  if (names.length === 0) return;
  throw fault('GGUF_FOLDER_NOT_EMPTY', { what: `${folder} holds ${names.length} files already`, evidence: { path: folder }, fix: 'Give an empty folder.' });
}
