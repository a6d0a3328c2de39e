/** Texts, JSONL and conversations as token ids, and what is refused with its line. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Corpus, type CorpusFormat, encodeCorpus, loadTokenizer } from '../src/index.js';
import { MINI_LLAMA } from './fixtures.js';

const tokenizer = await loadTokenizer(MINI_LLAMA);
const BOS = tokenizer.bosTokenId as number;
const plain = (text: string): number[] => tokenizer.encode(text, { addSpecialTokens: false });
const corpus = (format: CorpusFormat, text: string | Uint8Array): Corpus => ({ format, path: 'c.jsonl', bytes: typeof text === 'string' ? new TextEncoder().encode(text) : text });
const encode = (format: CorpusFormat, text: string | Uint8Array, join: number | null = BOS): Promise<number[]> => encodeCorpus(tokenizer, corpus(format, text), join);

describe('encodeCorpus', () => {
  it('takes a text as one document, without a BOS of its own', async () => {
    const text = 'And God said,\n{"text": "no JSON"}\n';
    expect(await encode('text', text)).toEqual(plain(text));
    expect(await encode('text', '')).toEqual([]);
  });

  it('joins the documents of JSONL by BOS, whether or not the last line ends', async () => {
    const lines = ['{"text": "In the beginning"}', '{"id": 7, "text": "God\\ncreated"}'];
    const expected = [...plain('In the beginning'), BOS, ...plain('God\ncreated')];
    for (const text of [lines.join('\n'), `${lines.join('\r\n')}\r\n`]) expect(await encode('jsonl', text)).toEqual(expected);
    expect(await encode('jsonl', lines.join('\n'), null)).toEqual([...plain('In the beginning'), ...plain('God\ncreated')]);
  });

  it('renders conversations by the chat template, with one BOS between them and none in front', async () => {
    const talks = [[{ role: 'user', content: 'Who art thou?' }, { role: 'assistant', content: 'Thy servant.' }], [{ role: 'user', content: 'Go.' }]];
    const rendered = await Promise.all(talks.map((messages) => tokenizer.renderChat(messages, { addGenerationPrompt: false })));
    const [first, second] = rendered.map(plain) as [number[], number[]];
    expect([first[0], second[0]]).toEqual([BOS, BOS]);
    expect(await encode('chat', talks.map((messages) => JSON.stringify({ messages })).join('\n'))).toEqual([...first.slice(1), ...second]);
  });

  it.each<[CorpusFormat, string, RegExp]>([
    ['jsonl', '{"text": "a"}\n{"text": }\n', /CORPUS_LINE: the line is not JSON: \{"text": \}[^]*c\.jsonl:2/],
    ['jsonl', '{"text": "a"}\n\n{"text": "b"}\n', /CORPUS_LINE: the line is empty[^]*c\.jsonl:2/],
    ['jsonl', '["a"]\n', /CORPUS_LINE: the line is no JSON object[^]*c\.jsonl:1/],
    ['jsonl', '{"text": 3}\n', /CORPUS_LINE: the object has no field text[^]*c\.jsonl:1/],
    ['jsonl', '{"text": "a"}\n{"text": ""}\n', /CORPUS_LINE: the field text is empty[^]*c\.jsonl:2/],
    ['jsonl', '{"messages": []}\n', /fix: these are conversations: write format: chat/],
    ['jsonl', '', /CORPUS_EMPTY/],
    ['chat', '{"text": "a"}\n', /CORPUS_LINE: the object has no field messages[^]*c\.jsonl:1/],
    ['chat', '{"messages": []}\n', /CORPUS_LINE: the object has no field messages[^]*c\.jsonl:1/],
    ['chat', '{"messages": [{"role": "user", "content": "a"}]}\n{"messages": [{"role": "user", "content": "a"}, {"role": "user"}]}\n', /CORPUS_LINE: message 2 has no role and content[^]*c\.jsonl:2/],
  ])('refuses a malformed line of %s: %j', async (format, text, message) => {
    await expect(encode(format, text)).rejects.toThrow(message);
  });

  it('names the line of what is not UTF-8', async () => {
    await expect(encode('text', Uint8Array.of(65, 10, 66, 10, 0xff, 10, 67))).rejects.toThrow(/CORPUS_NOT_UTF8[^]*c\.jsonl:3/);
    await expect(encode('text', Uint8Array.of(65, 10, 0xe2, 0x82))).rejects.toThrow(/CORPUS_NOT_UTF8[^]*c\.jsonl:2/);
  });

  it('names the line of a conversation that the template refuses', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tundish-corpus-'));
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(MINI_LLAMA, name), join(folder, name));
    writeFileSync(join(folder, 'chat_template.jinja'), "{% if messages[0].role != 'user' %}{{ raise_exception('must begin with user') }}{% endif %}x");
    const strict = await loadTokenizer(folder);
    rmSync(folder, { recursive: true });
    const text = ['user', 'assistant'].map((role) => JSON.stringify({ messages: [{ role, content: 'a' }] })).join('\n');
    await expect(encodeCorpus(strict, corpus('chat', text), BOS)).rejects.toThrow(/CORPUS_LINE: the chat template refuses the conversation\n {2}why: [^]*begin with user[^]*c\.jsonl:2/);
  });
});
