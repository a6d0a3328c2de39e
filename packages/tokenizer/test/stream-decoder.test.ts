import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../src/index.js';
import { TOKENIZERS } from './fixtures.js';

describe.each(TOKENIZERS)('$name', async ({ folder }) => {
  const tokenizer = await loadTokenizer(folder);
  const id = fc.integer({ min: 0, max: tokenizer.size - 1 });

  test('any ids: the pieces joined are the decoded text, and no piece splits a character', () => {
    fc.assert(
      fc.property(fc.array(id, { maxLength: 40 }), fc.boolean(), (ids, skipSpecialTokens) => {
        const decoder = tokenizer.streamDecoder({ skipSpecialTokens });
        const pieces = [...ids.map((each) => decoder.push(each)), decoder.flush()];
        expect(pieces.join('')).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
        for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
      }),
    );
  });

  test('an unfinished character waits, and becomes U+FFFD only at the end', () => {
    const ids = tokenizer.encode('\u{1f600}', { addSpecialTokens: false });
    const decoder = tokenizer.streamDecoder();
    const shown = ids.slice(0, -1).map((each) => decoder.push(each)).join('');
    expect(shown.trim()).toBe('');
    expect(decoder.flush()).toBe('\ufffd');
  });

  test('an id without a token has no text', () => {
    const ids = tokenizer.encode('one two', { addSpecialTokens: false });
    expect(tokenizer.decode([...ids, tokenizer.size + 7])).toBe(tokenizer.decode(ids));
  });
});

test('byte-level text survives encoding and decoding, whatever it is', async () => {
  const tokenizer = await loadTokenizer(TOKENIZERS[0]?.folder ?? '');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      expect(tokenizer.decode(tokenizer.encode(text, { addSpecialTokens: false }))).toBe(text);
    }),
  );
});
