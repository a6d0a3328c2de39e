/** Where results of single blocks are kept, so that a walk that ended early goes on where it stopped. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

/** An option as JSON. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** Everything that decides the result of a block, apart from the code and the machine. */
export interface BlockInputs {
  /** The options that the block reads. */
  readonly options: Readonly<Record<string, JsonValue>>;
  /** sha256 of what it reads, by name: its graph, each weight, each input. */
  readonly digests: Readonly<Record<string, string>>;
}

/** The files of one block's result. */
export interface BlockFiles {
  /** Absolute path of a file by its name; it may have to be fetched. */
  path(name: string): Promise<string>;
  /** sha256 of a file by its name. */
  sha256(name: string): string;
}

export interface BlockCache {
  /**
   * The result of a block (`embedding`, `block-0`, …, `lm_head`): found, or made and kept.
   *
   * @param inputs what decides it
   * @param make writes the result into the folder that it is given and returns the names of its files
   */
  block(name: string, inputs: () => BlockInputs, make: (folder: string) => Promise<readonly string[]>): Promise<BlockFiles>;
}

/** Keeps nothing: results lie in one folder, and live activations go when the next block has read them. */
export function uncached(folder: string): BlockCache {
  let read: readonly string[] = [];
  let last: readonly string[] = [];
  return {
    block: async (name, _inputs, make) => {
      await make(folder);
      for (const path of read) await rm(path, { force: true });
      read = last;
      last = [activationsName(name), referenceName(name)].map((file) => join(folder, file));
      return { path: (file) => Promise.resolve(join(folder, file)), sha256: (file) => createHash('sha256').update(readFileSync(join(folder, file))).digest('hex') };
    },
  };
}

/** Codes and scales of a block. */
export function weightsName(block: string): string {
  return `${block}.weights`;
}

/** What a block found out: the tensors in its weight file, encodings, observed ranges. */
export function recordName(block: string): string {
  return `${block}.json`;
}

/** The residual stream that leaves a block: float32, window after window. */
export function activationsName(block: string): string {
  return `${block}.activations`;
}

/** The same of the float model, where a technique needs it. */
export function referenceName(block: string): string {
  return `${block}.reference`;
}
