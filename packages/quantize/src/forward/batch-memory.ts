/** Arrays of one batch that serve the next one too: mapping and clearing fresh memory costs as much as some of the products. */

export class BatchMemory {
  readonly #free = new Map<number, Float32Array[]>();
  #taken: Float32Array[] = [];

  /** fp32 of this length, holding whatever it held. Its user until `reset` is whoever asked. */
  take(length: number): Float32Array {
    const array = this.#free.get(length)?.pop() ?? new Float32Array(length);
    this.#taken.push(array);
    return array;
  }

  /** Takes one back before the batch is done. @param array of `take`, that nobody looks at any more */
  give(array: Float32Array): void {
    this.#taken.splice(this.#taken.indexOf(array), 1);
    this.#keep(array);
  }

  /** The batch is done: nobody looks at its arrays any more. */
  reset(): void {
    for (const array of this.#taken) this.#keep(array);
    this.#taken = [];
  }

  #keep(array: Float32Array): void {
    const same = this.#free.get(array.length);
    if (same === undefined) this.#free.set(array.length, [array]);
    else same.push(array);
  }
}
