/** What part of the disk some spaces may use, and in which order their entries go when it is used up: the one unused longest first. */
import { type EntryName, idOf } from './layout.js';

/** One entry that the server has. */
export interface Held {
  readonly name: EntryName;
  /** Bytes of the body. */
  readonly size: number;
  /** When it was last used, in milliseconds since 1970. */
  usedAt: number;
  /** The last use that the disk knows of. */
  savedAt: number;
}

/** Files take whole blocks, and every entry has a record in a file of its own. */
const BLOCK_BYTES = 4096;

/** Disk space of an entry with a body of this size. */
export function costOf(size: number): number {
  return (Math.ceil(size / BLOCK_BYTES) + 1) * BLOCK_BYTES;
}

export class Pool {
  /** By id, the one unused longest first. */
  readonly #held = new Map<string, Held>();
  #used = 0;
  #reserved = 0;

  /** @param quota bytes of disk space */
  constructor(readonly quota: number) {}

  /** Disk space of the entries. */
  get used(): number {
    return this.#used;
  }

  get count(): number {
    return this.#held.size;
  }

  get(name: EntryName): Held | undefined {
    return this.#held.get(idOf(name));
  }

  values(): IterableIterator<Held> {
    return this.#held.values();
  }

  add(held: Held): void {
    this.drop(held.name);
    this.#held.set(idOf(held.name), held);
    this.#used += costOf(held.size);
  }

  /** Makes an entry the last to go. */
  touch(held: Held, usedAt: number): void {
    const id = idOf(held.name);
    if (!this.#held.delete(id)) return;
    held.usedAt = usedAt;
    this.#held.set(id, held);
  }

  drop(name: EntryName): void {
    const id = idOf(name);
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    this.#used -= costOf(held.size);
  }

  /**
   * Sets room aside for a body that will come, until `release`.
   *
   * @returns the entries that have to go for it, no longer held; undefined when there cannot be room
   */
  reserve(size: number): Held[] | undefined {
    const cost = costOf(size);
    if (this.#reserved + cost > this.quota) return undefined;
    this.#reserved += cost;
    return this.shrink();
  }

  release(size: number): void {
    this.#reserved -= costOf(size);
  }

  /** Drops entries until the rest fits into the quota; returns them. */
  shrink(): Held[] {
    const gone: Held[] = [];
    for (const held of this.#held.values()) {
      if (this.#used + this.#reserved <= this.quota) break;
      gone.push(held);
      this.drop(held.name);
    }
    return gone;
  }
}
