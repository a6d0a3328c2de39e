/** Blocks of quantization as pieces of the stage: each has a cache entry of its own. */
import { join } from 'node:path';
import type { BlockCache, BlockFiles, BlockInputs } from '@tundish/quantize';
import type { BlobRef } from '@tundish/store';
import { MEDIA, type StageContext } from '../stage.js';

/** Name of the cache entries: `quantize-block_<key>`. */
export const BLOCK_OPERATION = 'quantize-block';

export class BlockPieces implements BlockCache {
  readonly #blobs = new Map<string, BlobRef>();

  constructor(private readonly context: Pick<StageContext, 'piece'>) {}

  async block(name: string, inputs: () => BlockInputs, make: (folder: string) => Promise<readonly string[]>): Promise<BlockFiles> {
    const piece = await this.context.piece({ operation: BLOCK_OPERATION, name, ...inputs() }, async (scratch) =>
      (await make(scratch)).map((file) => ({ name: file, mediaType: file.endsWith('.json') ? MEDIA.json : MEDIA.weights, path: join(scratch, file) })),
    );
    return {
      path: async (file) => {
        const path = await piece.path(file);
        this.#blobs.set(path, piece.ref(file));
        return path;
      },
      sha256: (file) => piece.ref(file).sha256,
    };
  }

  /** The blob behind a path that a block gave: the stage hands it on and writes no weight a second time. */
  blobAt(path: string): BlobRef | undefined {
    return this.#blobs.get(path);
  }
}
