/** Sizes of a model from config.json and the headers of its weights alone; no weight is read. */
import { join } from 'node:path';
import { MODEL_TYPES } from '@tundish/architectures/model-types';
import type { ModelConfig } from '@tundish/checkpoint';
import { readModelConfig } from '@tundish/checkpoint/config';
import { readSafetensorsHeader } from '@tundish/checkpoint/safetensors';

/** Elements of the weights, by where they are in the model. */
export interface ModelShapes {
  readonly config: ModelConfig;
  readonly embedding: number;
  /** One number a decoder block. */
  readonly blocks: readonly number[];
  /** Final norm and output projection; of a tied model the projection is the embedding once more. */
  readonly head: number;
  /** Bytes of all weights as they lie in the checkpoint. */
  readonly sourceBytes: number;
}

/**
 * @param files names of the checkpoint's files
 * @throws CONFIG_*, SAFETENSORS_*, CHECKPOINT_FILE_NOT_FOUND
 */
export async function readShapes(folder: string, files: Iterable<string>): Promise<ModelShapes> {
  const { config } = await readModelConfig(join(folder, 'config.json'), MODEL_TYPES);
  // By what is there: the number of layers in a damaged config is no size to allocate by.
  const blocks = new Map<number, number>();
  const counts = { embedding: 0, head: 0, sourceBytes: 0 };
  for (const file of files) {
    if (!file.endsWith('.safetensors')) continue;
    for (const { name, shape, length } of (await readSafetensorsHeader(join(folder, file))).tensors.values()) {
      const elements = shape.reduce((product, size) => product * size, 1);
      const block = /\blayers\.(\d+)\./.exec(name)?.[1];
      counts.sourceBytes += length;
      if (block !== undefined) blocks.set(Number(block), (blocks.get(Number(block)) ?? 0) + elements);
      else if (name.includes('embed_tokens')) counts.embedding += elements;
      else counts.head += elements;
    }
  }
  return { config, blocks: [...blocks].sort(([a], [b]) => a - b).map(([, elements]) => elements), ...counts, head: counts.head + (config.tieWordEmbeddings ? counts.embedding : 0) };
}
