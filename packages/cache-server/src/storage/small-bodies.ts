/** Small bodies that were read lately, in memory: reading a file takes several turns of the thread pool, looking at it takes one. */
import { type EntryName, idOf } from './layout.js';

export interface SmallBody {
  /** Of the file that it was read from. */
  readonly ino: number;
  readonly digest: string;
  readonly bytes: Buffer;
}

/** Larger bodies are sent as they are read. */
export const SMALL_BYTES = 1 << 16;
const KEPT_BYTES = 32 << 20;

export class SmallBodies {
  /** By id, the one unused longest first. */
  readonly #kept = new Map<string, SmallBody>();
  #bytes = 0;

  get(name: EntryName): SmallBody | undefined {
    const id = idOf(name);
    const body = this.#kept.get(id);
    if (body !== undefined && this.#kept.delete(id)) this.#kept.set(id, body);
    return body;
  }

  keep(name: EntryName, body: SmallBody): void {
    this.drop(name);
    this.#kept.set(idOf(name), body);
    this.#bytes += body.bytes.length;
    for (const [id, { bytes }] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES) break;
      this.#kept.delete(id);
      this.#bytes -= bytes.length;
    }
  }

  drop(name: EntryName): void {
    const id = idOf(name);
    this.#bytes -= this.#kept.get(id)?.bytes.length ?? 0;
    this.#kept.delete(id);
  }
}
