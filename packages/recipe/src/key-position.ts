/** Where the keys of a document stand, and what an error says of a key that is not there. */

/** 1-based place in a text. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Keys and list indexes from the root of a document. */
export type KeyPath = readonly PropertyKey[];

/** A key path as the name of an entry. */
export function keyId(path: KeyPath): string {
  return JSON.stringify(path.map(String));
}

/** The place of a key or list item, or of the nearest parent that is there; `at` is asked by `keyId`. */
export function nearestPosition(path: KeyPath, at: (id: string) => Position | undefined): Position {
  for (let length = path.length; length > 0; length--) {
    const position = at(keyId(path.slice(0, length)));
    if (position !== undefined) return position;
  }
  return { line: 1, column: 1 };
}
