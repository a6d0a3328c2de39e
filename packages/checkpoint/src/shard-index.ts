/** Reads model.safetensors.index.json: which tensor is in which shard. */
import { printable } from '@tundish/diagnostics';
import { fault } from './errors.js';
import { readJsonObject } from './json-file.js';
import { describeJson, isJsonObject } from './strict-json.js';

export const INDEX_NAME = 'model.safetensors.index.json';

export interface ShardIndex {
  /** Shard file name by tensor name; every file name is plain, so it stays inside the checkpoint folder. */
  readonly weightMap: ReadonlyMap<string, string>;
  /** metadata.total_size: bytes of all tensors, if given. */
  readonly totalSize: number | undefined;
}

/** @throws TundishError CHECKPOINT_INDEX_INVALID, CHECKPOINT_INDEX_UNSAFE_PATH */
export async function readShardIndex(path: string): Promise<ShardIndex> {
  const index = await readJsonObject(path, 'CHECKPOINT_INDEX_INVALID');
  const map = index.get('weight_map');
  if (map === undefined) throw invalidIndex(path, 'weight_map is missing');
  if (!isJsonObject(map)) throw invalidIndex(path, `weight_map must map names to file names, found ${describeJson(map)}`);
  const weightMap = new Map<string, string>();
  for (const [name, file] of map) {
    if (typeof file !== 'string') throw invalidIndex(path, `weight_map must map names to file names, ${printable(name)} has ${describeJson(file)}`);
    refuseUnsafePath(path, name, file);
    weightMap.set(name, file);
  }
  const metadata = index.get('metadata');
  const total = isJsonObject(metadata) ? metadata.get('total_size') : undefined;
  return { weightMap, totalSize: typeof total === 'number' ? total : undefined };
}

export function invalidIndex(path: string, what: string): Error {
  return fault('CHECKPOINT_INDEX_INVALID', { what: `${INDEX_NAME}: ${what}`, evidence: { path }, fix: 'Download the index and the shards again, from the same revision.' });
}

/** Shards lie beside the index; a separator of any platform is refused on every platform, before anything is opened. */
function refuseUnsafePath(path: string, tensor: string, file: string): void {
  if (/^[^/\\:\0]+\.safetensors$/.test(file)) return;
  const separator = /[/\\:\0]/.test(file);
  throw fault('CHECKPOINT_INDEX_UNSAFE_PATH', {
    what: `${INDEX_NAME}: shard path ${printable(file)} ${separator ? 'leaves the checkpoint folder' : 'is not the name of a .safetensors file'}; refused before it is opened`,
    evidence: { path, detail: `weight_map of ${printable(tensor)}` },
    fix: 'Do not use this checkpoint unless you know who made it; download it again from its source.',
  });
}
