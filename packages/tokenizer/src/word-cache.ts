/** Remembers how short words were encoded; most words of a text come again. */

const WORDS = 50_000;
const LENGTH = 64;

/** @param encode a pure function; @returns the same function, faster, with bounded memory */
export function rememberWords(encode: (word: string) => readonly string[]): (word: string) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return (word) => {
    const found = known.get(word);
    if (found !== undefined) return found;
    const pieces = encode(word);
    if (word.length <= LENGTH) {
      if (known.size >= WORDS) known.clear();
      known.set(word, pieces);
    }
    return pieces;
  };
}
