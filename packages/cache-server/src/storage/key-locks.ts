/** Lets changes of one entry happen one after the other. */

export class KeyLocks {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `change` when those before it, for the same key, have ended. */
  async run<T>(key: string, change: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.then(change, change);
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }
}
