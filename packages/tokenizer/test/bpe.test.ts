import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BytePairEncoder } from '../src/bpe.js';

/** The definition: again and again merge the leftmost pair of the lowest rank. */
function mergeByDefinition(word: string, merges: readonly (readonly [string, string])[]): string[] {
  const parts = Array.from(word);
  for (;;) {
    let best: { rank: number; at: number } | undefined;
    for (let at = 0; at + 1 < parts.length; at++) {
      const rank = merges.findIndex(([left, right]) => left === parts[at] && right === parts[at + 1]);
      if (rank >= 0 && (best === undefined || rank < best.rank)) best = { rank, at };
    }
    if (best === undefined) return parts;
    parts.splice(best.at, 2, (parts[best.at] ?? '') + (parts[best.at + 1] ?? ''));
  }
}

/** Merges of random known tokens over a small alphabet, as training would list them. */
const trained = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 12 }).map((picks) => {
  const tokens = ['a', 'b', 'c'];
  const merges: [string, string][] = [];
  for (const [i, j] of picks) {
    const pair: [string, string] = [tokens[i % tokens.length] ?? '', tokens[j % tokens.length] ?? ''];
    if (pair.join('').length > 8 || tokens.includes(pair.join(''))) continue;
    merges.push(pair);
    tokens.push(pair.join(''));
  }
  return { tokens, merges };
});

test('equals the definition of byte-pair encoding', () => {
  fc.assert(
    fc.property(trained, fc.array(fc.constantFrom('a', 'b', 'c', '\u{1f600}'), { maxLength: 40 }), ({ tokens, merges }, letters) => {
      const encoder = new BytePairEncoder(new Map(tokens.map((token, id) => [token, id])), merges, tokens, false);
      const word = letters.join('');
      expect(encoder.encode(word)).toEqual(mergeByDefinition(word, merges));
    }),
    { numRuns: 500 },
  );
});

test('a word of half a million letters takes seconds at most', () => {
  const tokens = ['a', 'aa', 'aaaa', 'aaaaaaaa'];
  const merges = [['a', 'a'], ['aa', 'aa'], ['aaaa', 'aaaa']] as const;
  const encoder = new BytePairEncoder(new Map(tokens.map((token, id) => [token, id])), merges, tokens, false);
  const start = performance.now();
  expect(encoder.encode('a'.repeat(500_001))).toHaveLength(62_501);
  expect(performance.now() - start).toBeLessThan(5000);
});
