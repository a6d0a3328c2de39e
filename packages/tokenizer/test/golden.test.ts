import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../src/index.js';
import { MINI_LLAMA, TOKENIZERS, vectorsOf } from './fixtures.js';

describe.each(TOKENIZERS)('$name equals the reference', async ({ name, folder }) => {
  const tokenizer = await loadTokenizer(folder);
  const vectors = vectorsOf(name);

  test('special tokens and size', () => {
    expect(tokenizer.size).toBe(vectors.vocab_size);
    expect(tokenizer.bosTokenId).toBe(vectors.special['bos_token']?.[1]);
    expect(tokenizer.eosTokenIds).toEqual([vectors.special['eos_token']?.[1]]);
    for (const [content, id] of Object.values(vectors.special)) expect([tokenizer.tokenOf(id), tokenizer.specialTokenIds.has(id)]).toEqual([content, true]);
  });

  test.each(vectors.strings)('encode $text', ({ text, ids, ids_with_special, tokens }) => {
    expect(tokenizer.encode(text, { addSpecialTokens: false })).toEqual(ids);
    expect(tokenizer.encode(text)).toEqual(ids_with_special);
    expect(ids.map((id) => tokenizer.tokenOf(id))).toEqual(tokens);
  });

  test.each(vectors.strings)('decode $text', ({ ids, ids_with_special, decode, decode_with_special, decode_skip_special }) => {
    expect(tokenizer.decode(ids)).toBe(decode);
    expect(tokenizer.decode(ids_with_special)).toBe(decode_with_special);
    expect(tokenizer.decode(ids_with_special, { skipSpecialTokens: true })).toBe(decode_skip_special);
  });

  test.each(vectors.strings)('stream $text', ({ ids, incremental }) => {
    const decoder = tokenizer.streamDecoder({ skipSpecialTokens: true });
    expect(ids.map((id) => decoder.push(id))).toEqual(incremental);
    expect(decoder.flush()).toBe('');
  });

  test.each(vectors.chats)('chat: $about, generation prompt $add_generation_prompt', async (chat) => {
    const rendered = tokenizer.renderChat(chat.messages, { addGenerationPrompt: chat.add_generation_prompt });
    if (chat.error !== undefined) return expect(rendered).rejects.toThrow(chat.error);
    expect(await rendered).toBe(chat.text);
    if (chat.ids !== undefined) expect(tokenizer.encode(await rendered, { addSpecialTokens: false })).toEqual(chat.ids);
  });
});

interface Reference {
  readonly text: { readonly tokens: number };
  readonly greedy: readonly { readonly prompt: string; readonly ids: number[]; readonly continuation: number[]; readonly text: string }[];
}

describe('mini-llama', async () => {
  const tokenizer = await loadTokenizer(MINI_LLAMA);
  const reference = JSON.parse(readFileSync(join(MINI_LLAMA, 'reference.json'), 'utf8')) as Reference;
  const evalText = readFileSync(join(MINI_LLAMA, 'eval.txt'), 'utf8');

  test('eval.txt has as many tokens as the reference counted, and decodes to itself', () => {
    const ids = tokenizer.encode(evalText, { addSpecialTokens: false });
    expect(ids).toHaveLength(reference.text.tokens);
    expect(tokenizer.decode(ids)).toBe(evalText);
  });

  test('the calibration text decodes to itself', () => {
    const text = readFileSync(join(MINI_LLAMA, 'calibration.txt'), 'utf8');
    expect(tokenizer.decode(tokenizer.encode(text, { addSpecialTokens: false }))).toBe(text);
  });

  test('windows of the protocol: between special tokens, text of eval.txt that encodes to the same ids', () => {
    const windows = readWindows(join(MINI_LLAMA, 'protocol.safetensors'), 'eval_windows');
    expect(windows).toHaveLength(80);
    for (const window of windows) {
      expect(window[0]).toBe(tokenizer.bosTokenId);
      for (const piece of splitAt(window, tokenizer.specialTokenIds)) {
        const text = tokenizer.decode(piece);
        expect(evalText.includes(text)).toBe(true);
        expect(tokenizer.encode(text, { addSpecialTokens: false })).toEqual(piece);
      }
    }
  });

  test.each(reference.greedy)('greedy: $prompt', ({ prompt, ids, continuation, text }) => {
    expect(tokenizer.encode(prompt)).toEqual(ids);
    expect(tokenizer.decode(continuation)).toBe(text);
  });
});

function splitAt(ids: readonly number[], separators: ReadonlySet<number>): number[][] {
  const pieces: number[][] = [[]];
  for (const id of ids) {
    if (separators.has(id)) pieces.push([]);
    else pieces.at(-1)?.push(id);
  }
  return pieces.filter((piece) => piece.length > 0);
}

/** Rows of an int32 tensor [n,512]; the file is trusted here. */
function readWindows(path: string, name: string): number[][] {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)) as Record<string, { data_offsets: [number, number]; shape: [number, number] }>;
  const { data_offsets: [begin, end], shape: [, width] } = header[name] ?? { data_offsets: [0, 0], shape: [0, 1] };
  const data = bytes.subarray(8 + headerLength + begin, 8 + headerLength + end);
  const values = Array.from({ length: data.length / 4 }, (_, i) => data.readInt32LE(4 * i));
  return Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));
}
