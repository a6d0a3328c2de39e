/** Finds the weight files of a checkpoint and gives every tensor its file and byte range. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '@tundish/diagnostics';
import type { CheckpointTensor } from './checkpoint.js';
import { fault } from './errors.js';
import { exists } from './read-file.js';
import { readSafetensorsHeader } from './safetensors.js';
import type { SafetensorsHeader } from './safetensors.js';
import { INDEX_NAME, invalidIndex, readShardIndex } from './shard-index.js';
import type { ShardIndex } from './shard-index.js';

const SINGLE_NAME = 'model.safetensors';

export interface Weights {
  /** Names of the weight files, and of the index if there is one, sorted. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Tensors that a shard holds and the index does not name: file by tensor name. */
  readonly unindexed: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/** @throws TundishError CHECKPOINT_WEIGHTS_NOT_FOUND, CHECKPOINT_INDEX_*, SAFETENSORS_* */
export async function readWeights(folder: string, signal?: AbortSignal): Promise<Weights> {
  const single = await exists(join(folder, SINGLE_NAME));
  const sharded = await exists(join(folder, INDEX_NAME));
  if (single) {
    const header = await readSafetensorsHeader(join(folder, SINGLE_NAME));
    const warnings = sharded ? [`both ${SINGLE_NAME} and ${INDEX_NAME} are there, which is ambiguous: ${SINGLE_NAME} is taken, the index and its shards are not read`] : [];
    return { files: [SINGLE_NAME], tensors: new Map(placed(header, SINGLE_NAME)), unindexed: new Map(), warnings };
  }
  if (sharded) return readShards(folder, await readShardIndex(join(folder, INDEX_NAME)), signal);
  throw await noWeights(folder);
}

async function readShards(folder: string, index: ShardIndex, signal: AbortSignal | undefined): Promise<Weights> {
  const path = join(folder, INDEX_NAME);
  const shards = [...new Set(index.weightMap.values())].sort();
  const headers = new Map<string, SafetensorsHeader>();
  for (const shard of shards) {
    signal?.throwIfAborted();
    if (!(await exists(join(folder, shard)))) {
      const needing = [...index.weightMap.values()].filter((file) => file === shard).length;
      throw invalidIndex(path, `shard ${shard} named by the index is missing; ${needing} tensors need it`);
    }
    headers.set(shard, await readSafetensorsHeader(join(folder, shard)));
  }
  const tensors = resolveIndex(path, index, headers);
  const { unindexed, warnings } = compareShards(index, headers);
  const total = [...tensors.values()].reduce((sum, tensor) => sum + tensor.length, 0);
  if (index.totalSize !== undefined && index.totalSize !== total) {
    warnings.push(`${INDEX_NAME}: metadata.total_size is ${index.totalSize}, the tensors have ${total} bytes: total_size is wrong`);
  }
  return { files: [...shards, INDEX_NAME].sort(), tensors, unindexed, warnings };
}

function resolveIndex(path: string, index: ShardIndex, headers: ReadonlyMap<string, SafetensorsHeader>): Map<string, CheckpointTensor> {
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, file] of index.weightMap) {
    const tensor = headers.get(file)?.tensors.get(name);
    if (tensor === undefined) {
      const actual = [...headers].find(([, header]) => header.tensors.has(name))?.[0];
      const where = actual === undefined ? 'and in no other' : `but in ${actual}`;
      throw invalidIndex(path, `${printable(name)}: not in the shard that the index names (${file}), ${where}`);
    }
    tensors.set(name, { ...tensor, file });
  }
  return tensors;
}

/** What the shards hold beyond the index: tensors it does not name, and second copies of those it does. */
function compareShards(index: ShardIndex, headers: ReadonlyMap<string, SafetensorsHeader>): { unindexed: Map<string, string>; warnings: string[] } {
  const unindexed = new Map<string, string>();
  const warnings: string[] = [];
  for (const [shard, header] of headers) {
    for (const name of header.tensors.keys()) {
      const named = index.weightMap.get(name);
      if (named === undefined) unindexed.set(name, shard);
      else if (named !== shard) warnings.push(`duplicate tensor ${printable(name)}: in ${named}, which the index names and which is taken, and in ${shard}`);
    }
  }
  return { unindexed, warnings };
}

function placed(header: SafetensorsHeader, file: string): [string, CheckpointTensor][] {
  return [...header.tensors].map(([name, tensor]) => [name, { ...tensor, file }]);
}

async function noWeights(folder: string): Promise<Error> {
  const names = await readdir(folder);
  const pickle = names.find((name) => /\.(bin|pt|pth|ckpt)$/.test(name));
  return fault('CHECKPOINT_WEIGHTS_NOT_FOUND', {
    what: `no weights found in ${folder}: looked for ${SINGLE_NAME} and ${INDEX_NAME}`,
    ...(pickle === undefined ? {} : { why: `There is ${printable(pickle)}, but pickle files are not read: they can execute code.` }),
    evidence: { path: folder },
    fix: pickle === undefined ? 'Download the complete checkpoint.' : 'Convert the weights to safetensors, or download the safetensors revision of the model.',
  });
}
