/** Sessions over a container on disk with the real tokenizer: streaming, stops, turns, statistics. */
import { rmSync } from 'node:fs';
import { type Tokenizer, loadTokenizer } from '@tundish/tokenizer';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GenerateOptions, GeneratedToken, Prompt } from '../src/generation.js';
import { openContainer } from '../src/open-container.js';
import type { Session } from '../src/session.js';
import { CHECKPOINT, EOS, emptyScript, scriptedContainer } from './scripted-container.js';
import { scriptedToolchain } from './scripted-toolchain.js';

const PROMPT = 'And God said';
const TEXT = ', let there be naïve 🌍 light: 光.';

let folder = '';
let session: Session;
let encode: (text: string, special?: boolean) => number[];
const script = emptyScript();
const options = { toolchain: () => scriptedToolchain(script), threads: 1 };

beforeAll(async () => {
  folder = await scriptedContainer();
  const tokenizer = await loadTokenizer(CHECKPOINT);
  encode = (text, special = false) => tokenizer.encode(text, { addSpecialTokens: special });
  session = await openContainer(folder, options);
});
afterAll(async () => {
  await session.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  session.reset();
  script.passes.length = 0;
  script.ids = [...encode(PROMPT, true), ...encode(TEXT), EOS];
});

async function collect(prompt: Prompt, given: GenerateOptions = {}): Promise<{ tokens: GeneratedToken[]; text: string; stats: NonNullable<ReturnType<Session['generate']>['stats']> }> {
  const generation = session.generate(prompt, given);
  expect(generation.stats).toBeUndefined();
  const tokens: GeneratedToken[] = [];
  for await (const token of generation) tokens.push(token);
  const { stats } = generation;
  if (stats === undefined) throw new RangeError('no statistics after the end');
  return { tokens, text: tokens.map((token) => token.text).join(''), stats };
}

describe('generate', () => {
  it('streams text whose pieces never split a character, up to eos', async () => {
    const { tokens, text, stats } = await collect(PROMPT);
    expect(text).toBe(TEXT);
    expect(tokens.map((token) => token.id)).toEqual(encode(TEXT));
    // The sample must hold characters of several tokens, or it shows nothing.
    expect(tokens.filter((token) => token.text === '').length).toBeGreaterThan(2);
    for (const token of tokens) expect(token.text.isWellFormed() && !token.text.includes('\uFFFD')).toBe(true);
    const prompt = encode(PROMPT, true).length;
    expect(stats).toMatchObject({ stopReason: 'eos', promptTokens: prompt, cachedTokens: 0, generatedTokens: tokens.length });
    expect(script.passes.slice(0, 2)).toEqual([`ar8 x${prompt}`, 'ar1 x1']);
    expect(stats.timeToFirstToken * stats.prefillTokensPerSecond * stats.decodeTokensPerSecond).toBeGreaterThan(0);
  });

  it('gives out held bytes as U+FFFD when it stops inside a character', async () => {
    const whole = (await collect(PROMPT)).tokens;
    const inside = whole.findIndex((token) => token.text === '') + 1;
    const { tokens, stats } = await collect(PROMPT, { maxTokens: inside });
    expect(tokens).toHaveLength(inside + 1);
    expect(tokens.at(-1)?.id).toBeNull();
    expect(tokens.at(-1)?.text).toContain('\uFFFD');
    expect(stats).toMatchObject({ stopReason: 'max-tokens', generatedTokens: inside });
  });

  it('stops when the cache is full, one token after the last position', async () => {
    script.ids = [...encode(PROMPT, true), ...Array.from({ length: 80 }, () => 300)];
    const { tokens, stats } = await collect(PROMPT);
    expect(stats.stopReason).toBe('capacity');
    expect(stats.promptTokens + tokens.filter((token) => token.id !== null).length).toBe(64);
    expect(session.engine.position).toBe(63);
  });

  it('stops on a signal and keeps what was said', async () => {
    const controller = new AbortController();
    const generation = session.generate(PROMPT, { signal: controller.signal });
    let count = 0;
    for await (const token of generation) if (token.id !== null && ++count === 3) controller.abort();
    expect(generation.stats).toMatchObject({ stopReason: 'aborted', generatedTokens: 3 });
    const before = script.passes.length;
    expect((await collect(PROMPT, { signal: AbortSignal.abort() })).stats).toMatchObject({ stopReason: 'aborted', generatedTokens: 0, timeToFirstToken: 0 });
    expect(script.passes.length).toBe(before);
  });

  it('computes only what is new in the next turn when asked to', async () => {
    const { tokens } = await collect(PROMPT);
    const first = [...encode(PROMPT, true), ...tokens.flatMap((token) => token.id ?? [])];
    const second = [...first, EOS, 300, 301];
    script.ids = [...second, 302, EOS];
    const again = await collect({ ids: second }, { reusePrefix: true });
    expect(again.stats).toMatchObject({ promptTokens: second.length, cachedTokens: first.length, generatedTokens: 1 });
    expect(again.tokens[0]?.id).toBe(302);
    expect((await collect({ ids: second })).stats.cachedTokens).toBe(0);
    expect((await collect({ ids: second }, { reusePrefix: true })).stats.cachedTokens).toBe(second.length - 1);
  });

  it('renders messages with the chat template, without a second bos', async () => {
    const messages = [{ role: 'user', content: 'Speak.' }];
    const prompt = encode(await (session.tokenizer as Tokenizer).renderChat(messages));
    script.ids = [...prompt, 300, EOS];
    const { tokens, stats } = await collect({ messages });
    expect(stats.promptTokens).toBe(prompt.length);
    expect(prompt.filter((id) => id === 4091).length).toBeLessThanOrEqual(1);
    expect(tokens[0]?.id).toBe(300);
  });

  it('refuses a second generation while one runs, bad options, and prompts that do not fit', async () => {
    const running = session.generate(PROMPT)[Symbol.asyncIterator]();
    await running.next();
    await expect(collect(PROMPT)).rejects.toMatchObject({ code: 'RUNTIME_BUSY' });
    await running.return?.();
    expect((await collect(PROMPT)).text).toBe(TEXT);
    script.passes.length = 0;
    await expect(collect(PROMPT, { maxTokens: 0 })).rejects.toMatchObject({ code: 'RUNTIME_OPTION_INVALID' });
    await expect(collect(PROMPT, { temperature: -1 })).rejects.toMatchObject({ code: 'RUNTIME_OPTION_INVALID' });
    await expect(collect({ ids: new Array<number>(64).fill(5) })).rejects.toMatchObject({ code: 'RUNTIME_CAPACITY' });
    await expect(collect({ ids: [] })).rejects.toMatchObject({ code: 'RUNTIME_PROMPT_EMPTY' });
    expect(script.passes).toEqual([]);
  });
});

describe('openContainer', () => {
  it.each([['version', '1', '2'], ['machine', '', 'other'], ['operators', '', 'own-2']])('refuses another %s of the toolchain', async (field, made, here) => {
    const other = { ...scriptedToolchain(script), identity: () => Promise.resolve({ name: 'scripted', version: '1', machine: '', operators: '', [field]: here }) };
    await expect(openContainer(folder, { ...options, toolchain: () => other })).rejects.toThrow(new RegExp(`RUNTIME_TOOLCHAIN_DIFFERS.*\n.*its ${field} is "${made}" and this process has "${here}"`));
  });

  it('asks for the toolchain of the manifest and passes its failure on', async () => {
    const asked: string[] = [];
    const toolchain = (name: string): never => {
      asked.push(name);
      throw new RangeError('unknown');
    };
    await expect(openContainer(folder, { ...options, toolchain })).rejects.toThrow('unknown');
    expect(asked).toEqual(['scripted']);
  });

  it('closes what it opened', async () => {
    script.closed = 0;
    await (await openContainer(folder, options)).close();
    expect(script.closed).toBe(1);
    script.failOpen = true;
    await expect(openContainer(folder, options)).rejects.toThrow('part does not open');
    script.failOpen = false;
  });
});
