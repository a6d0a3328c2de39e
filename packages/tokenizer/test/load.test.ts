import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadTokenizer } from '../src/index.js';
import { MINI_LLAMA, repositoryPath } from './fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'tundish-tokenizer-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const bad = (name: string): string => repositoryPath(`test/fixtures/bad/checkpoints/${name}`);
const message = [{ role: 'user', content: 'x' }];

/** A copy of the control tokenizer with some parts replaced. */
function variant(name: string, change: (json: Record<string, unknown>) => void): string {
  const folder = join(scratch, name);
  mkdirSync(folder);
  const json = JSON.parse(readFileSync(join(bad('tokenizer-control'), 'tokenizer.json'), 'utf8')) as Record<string, unknown>;
  change(json);
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json));
  return folder;
}

describe('bad tokenizers', () => {
  test.each([
    ['tokenizer-ids-beyond-vocab', 'TOKENIZER_BEYOND_VOCABULARY', 'token ids 40, 41 exceed vocab_size 32'],
    ['tokenizer-merge-unknown', 'TOKENIZER_INVALID', 'merge "q z": token "qz" not in the vocabulary'],
    ['tokenizer-truncated', 'TOKENIZER_NOT_JSON', 'is not valid JSON'],
    ['tokenizer-duplicate-id', 'TOKENIZER_INVALID', 'id 3 is given twice'],
  ])('%s', async (name, code, says) => {
    const error: unknown = await loadTokenizer(bad(name), { vocabSize: 32 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, what: expect.stringContaining(says) as string, evidence: expect.objectContaining({ path: join(bad(name), 'tokenizer.json') }) as object, fix: expect.any(String) as string });
  });

  test('the control loads, with its one merge and its added tokens', async () => {
    const tokenizer = await loadTokenizer(bad('tokenizer-control'), { vocabSize: 32, eosTokenIds: [29] });
    expect(tokenizer.encode('the<s>', { addSpecialTokens: false })).toEqual([27, 4, 28]);
    expect([tokenizer.bosTokenId, tokenizer.eosTokenIds, tokenizer.hasChatTemplate]).toEqual([null, [29], false]);
  });

  test('an end-of-sequence id without an embedding row', async () => {
    await expect(loadTokenizer(bad('tokenizer-control'), { vocabSize: 32, eosTokenIds: [99] })).rejects.toThrow(/eos_token_id 99 exceeds vocab_size 32: generation would never stop/);
  });

  test('broken JSON has a line and a column', async () => {
    await expect(loadTokenizer(bad('tokenizer-truncated'))).rejects.toMatchObject({ evidence: { line: 1, column: 201 } });
  });

  test('no tokenizer at all', async () => {
    await expect(loadTokenizer(bad('control-good'))).rejects.toMatchObject({ code: 'TOKENIZER_NOT_FOUND' });
  });

  test.each([
    ['wordpiece', { model: { type: 'WordPiece', vocab: {} } }, /model type WordPiece; known: BPE Unigram/],
    ['decoder', { decoder: { type: 'CTC' } }, /decoder CTC/],
    ['normalizer', { normalizer: { type: 'Imaginary' } }, /Imaginary/],
    ['huge-id', { added_tokens: [{ id: 2e9, content: '<x>' }] }, /added token 0 needs an id/],
  ])('an unknown part is named: %s', async (name, parts, says) => {
    await expect(loadTokenizer(variant(name, (json) => Object.assign(json, parts)))).rejects.toThrow(says);
  });

  test('a character without token, unk_token or byte fallback is an error, not a dropped character', async () => {
    const tokenizer = await loadTokenizer(bad('tokenizer-control'));
    expect(() => tokenizer.encode('\u00e9')).toThrow(/there is no token for "\u00e9"/);
  });
});

describe('chat templates are bounded', () => {
  test('endless loops are stopped, and the thread works again afterwards', async () => {
    const tokenizer = await loadTokenizer(bad('chat-template-loops'));
    const start = performance.now();
    const first = tokenizer.renderChat(message);
    await expect(first).rejects.toMatchObject({ code: 'CHAT_TEMPLATE_LIMIT', message: expect.stringContaining('chat-template-loops') as string });
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  test('a template that grows without end is stopped by its memory, not ours', async () => {
    const folder = variant('grows', () => undefined);
    writeFileSync(join(folder, 'chat_template.jinja'), '{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s | length }}');
    const before = process.memoryUsage.rss();
    await expect((await loadTokenizer(folder)).renderChat(message)).rejects.toMatchObject({ code: 'CHAT_TEMPLATE_LIMIT' });
    expect(process.memoryUsage.rss() - before).toBeLessThan(400_000_000);
  });

  test('no way to the host', async () => {
    await expect((await loadTokenizer(bad('chat-template-escapes'))).renderChat(message)).rejects.toMatchObject({ code: 'CHAT_TEMPLATE_FAILED' });
    const folder = variant('escapes', () => undefined);
    for (const reach of ['messages.constructor', 'messages[0].__proto__', "''.__class__", 'globalThis', 'process', "{}['constructor']", 'raise_exception.constructor']) {
      writeFileSync(join(folder, 'chat_template.jinja'), `[{{ ${reach} }}]`);
      const rendered = await (await loadTokenizer(folder)).renderChat(message).catch(() => '[refused]');
      expect(rendered, reach).toMatch(/^\[(refused)?\]$/);
    }
  });

  test('no template', async () => {
    await expect((await loadTokenizer(bad('tokenizer-control'))).renderChat(message)).rejects.toMatchObject({ code: 'CHAT_TEMPLATE_MISSING' });
  });

  test('tools and further fields reach the template; the default of several templates is taken', async () => {
    const folder = join(scratch, 'named');
    cpSync(bad('tokenizer-control'), folder, { recursive: true });
    const template = '{% for m in messages %}{{ m.name }}{% endfor %}{{ tools[0].function.name }}{{ bos_token }}';
    const list = [{ name: 'rag', template: 'other' }, { name: 'default', template }];
    writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ chat_template: list, bos_token: { content: '<s>' } }));
    const text = await (await loadTokenizer(folder)).renderChat([{ role: 'user', content: '', name: 'Ada' }], { tools: [{ function: { name: 'add' } }] });
    expect(text).toBe('Adaadd<s>');
  });

  test('many at once are served in order', async () => {
    const tokenizer = await loadTokenizer(MINI_LLAMA);
    const texts = await Promise.all(['a', 'b', 'c'].map((content) => tokenizer.renderChat([{ role: 'user', content }])));
    expect(texts.map((text) => /\n\n(.)<\|eot_id\|>/.exec(text)?.[1])).toEqual(['a', 'b', 'c']);
  });
});
