/** Memory and files that are those of one block after the other: a walk has one. */
import { FloatStack } from '../float-stack.js';
import { ScratchStreams } from './scratch-streams.js';

export class BlockWorkspace {
  /** What a batch of windows needs, and what the layers of a group do when they are solved. */
  readonly stack = new FloatStack();
  /** Statistics of a group: they grow over many batches. */
  readonly statistics = new FloatStack();
  /** What ends with the block. */
  readonly block = new FloatStack();
  readonly streams: ScratchStreams;

  /** @param folder for files that `remove` takes away */
  constructor(folder: string) {
    this.streams = new ScratchStreams(folder, this.stack);
  }

  /** A block begins: nobody looks at anything of the one before. */
  begin(): void {
    for (const stack of this.#stacks) stack.release();
  }

  /** Gives memory back that something else needs before the next block. */
  clear(): void {
    for (const stack of this.#stacks) stack.clear();
  }

  remove(): void {
    this.streams.remove();
  }

  get #stacks(): readonly FloatStack[] {
    return [this.stack, this.statistics, this.block];
  }
}
