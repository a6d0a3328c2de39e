/** Streams of one block that wait in files until the next group of layers is solved, so that memory holds one batch of each. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchMemory } from '../forward/batch-memory.js';
import { LiveActivations, LiveActivationsWriter, type WindowRange } from '../live-activations.js';

export class ScratchStreams {
  readonly #writing = new Map<string, LiveActivationsWriter>();
  readonly #reading = new Map<string, LiveActivations>();
  readonly #paths: string[] = [];

  /** @param memory for what is read */
  constructor(private readonly folder: string, private readonly windows: number, private readonly memory: BatchMemory) {}

  /** Appends a batch to the stream `name` and gives it back. */
  keep(name: string, batch: Float32Array): Float32Array {
    const writer = this.#writing.get(name) ?? this.#begin(name);
    writer.append(batch);
    return batch;
  }

  /** Closes what was written: all of it can be read then. */
  finish(): void {
    for (const writer of this.#writing.values()) writer.close();
    this.#writing.clear();
  }

  read(name: string, windows: WindowRange): Float32Array {
    const reader = this.#reading.get(name) ?? new LiveActivations(this.#pathOf(name), this.windows);
    this.#reading.set(name, reader);
    return reader.windows(windows, this.memory);
  }

  async remove(): Promise<void> {
    this.finish();
    for (const reader of this.#reading.values()) reader.close();
    await Promise.all(this.#paths.map((path) => rm(path, { force: true })));
  }

  #begin(name: string): LiveActivationsWriter {
    const writer = new LiveActivationsWriter(this.#pathOf(name));
    this.#paths.push(this.#pathOf(name));
    this.#writing.set(name, writer);
    return writer;
  }

  #pathOf(name: string): string {
    return join(this.folder, `scratch-${name}`);
  }
}
