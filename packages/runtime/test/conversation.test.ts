/** Conversations over a container on disk: what the model sees, what is forgotten, what is computed again. */
import { rmSync } from 'node:fs';
import type { ChatMessage, Tokenizer } from '@tundish/tokenizer';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Conversation } from '../src/conversation.js';
import type { GenerationStats } from '../src/generation.js';
import { openContainer } from '../src/open-container.js';
import type { Session } from '../src/session.js';
import { EOS, emptyScript, scriptedContainer } from './scripted-container.js';
import { scriptedToolchain } from './scripted-toolchain.js';

/** About a third of what the container holds. */
const LONG = 'thou '.repeat(20).trim();

const script = emptyScript();
let folder = '';
let session: Session;
let tokenizer: Tokenizer;

beforeAll(async () => {
  folder = await scriptedContainer();
  session = await openContainer(folder, { toolchain: () => scriptedToolchain(script), threads: 1 });
  tokenizer = session.tokenizer as Tokenizer;
});
afterAll(async () => {
  await session.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  session.reset();
  script.seen.length = 0;
});

const user = (content: string): ChatMessage => ({ role: 'user', content });
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content });
const idsOf = async (messages: readonly ChatMessage[]): Promise<number[]> => tokenizer.encode(await tokenizer.renderChat(messages), { addSpecialTokens: false });

interface Exchange {
  readonly dropped: number;
  readonly text: string;
  readonly stats: GenerationStats;
}

/** Asks, with a model that answers with a text wherever the prompt of `seen` ends; the messages that it must see are given. */
async function ask(conversation: Conversation, expected: readonly ChatMessage[], answer: string, stopAfter?: number): Promise<Exchange> {
  const prompt = await idsOf(expected);
  script.ids = [...prompt, ...tokenizer.encode(answer, { addSpecialTokens: false }), EOS];
  const controller = new AbortController();
  if (stopAfter === 0) controller.abort();
  const reply = await conversation.ask(expected.at(-1)?.content ?? '', controller.signal);
  let text = '';
  let tokens = 0;
  for await (const token of reply) {
    text += token.text;
    if (++tokens === stopAfter) controller.abort();
  }
  if (stopAfter !== 0) expect(script.seen.slice(0, prompt.length)).toEqual(prompt);
  return { dropped: reply.dropped, text, stats: reply.stats as GenerationStats };
}

describe('a conversation', () => {
  it('shows the model the rendered messages and computes only what is new', async () => {
    const conversation = new Conversation(session, { maxTokens: 8 });
    const first = await ask(conversation, [user('Who?')], 'I am.');
    expect([first.text, first.stats.cachedTokens]).toEqual(['I am.', 0]);
    const second = await ask(conversation, [user('Who?'), assistant('I am.'), user('And?')], 'No.');
    // The end of the turn was chosen but never computed.
    expect(second.stats.cachedTokens).toBe(first.stats.promptTokens + first.stats.generatedTokens);
    expect(conversation.messages).toEqual([user('Who?'), assistant('I am.'), user('And?'), assistant('No.')]);
  });

  it('follows the template where it writes an answer otherwise than it was generated', async () => {
    const conversation = new Conversation(session, { maxTokens: 8 });
    const first = await ask(conversation, [user('Who?')], ' \n I am. ');
    const second = await ask(conversation, [user('Who?'), assistant(' \n I am. '), user('And?')], 'No.');
    // The template trims: nothing of the answer can be kept.
    expect(second.stats.cachedTokens).toBe(first.stats.promptTokens);
  });

  it('forgets the oldest exchanges when an answer has no room, never the system message', async () => {
    const conversation = new Conversation(session, { maxTokens: 12, system: 'Be.' });
    const system = { role: 'system', content: 'Be.' };
    const first = [system, user(LONG)];
    await ask(conversation, first, 'Yes.');
    expect((await idsOf([...first, assistant('Yes.'), user('two')])).length + 12).toBeGreaterThan(session.engine.capacity + 1);
    expect((await ask(conversation, [system, user('two')], 'No.')).dropped).toBe(1);
    expect(conversation.messages).toEqual([system, user('two'), assistant('No.')]);
  });

  it('keeps all that fits, to the last token', async () => {
    const messages = [user(LONG), assistant('Yes.'), user('two')];
    const room = session.engine.capacity + 1 - (await idsOf(messages)).length;
    // Above a quarter of the capacity, maxTokens would not decide.
    expect(room).toBeLessThan(Math.floor(session.engine.capacity / 4));
    for (const [maxTokens, dropped] of [[room, 0], [room + 1, 1]] as const) {
      const conversation = new Conversation(session, { maxTokens });
      await ask(conversation, [user(LONG)], 'Yes.');
      expect((await ask(conversation, dropped === 0 ? messages : [user('two')], 'No.')).dropped).toBe(dropped);
    }
  });

  it('answers in what room there is when a message leaves less than was asked for, and refuses one that leaves none', async () => {
    const conversation = new Conversation(session);
    await ask(conversation, [user('one')], 'Yes.');
    const before = conversation.messages;
    const long = 'thou '.repeat(60);
    await expect(conversation.ask(long)).rejects.toThrow(/RUNTIME_CAPACITY: the message needs \d+ tokens and the container holds 63/);
    expect(conversation.messages).toEqual(before);
    const tight = user('thou '.repeat(40).trim());
    expect((await idsOf([tight])).length).toBeGreaterThan(session.engine.capacity + 1 - 15);
    const { stats, dropped } = await ask(conversation, [tight], 'and '.repeat(40));
    expect([stats.stopReason, dropped]).toEqual(['capacity', 1]);
  });

  it('keeps what a stopped answer said, and forgets a message that was stopped before a word', async () => {
    const conversation = new Conversation(session, { maxTokens: 8 });
    const { text, stats } = await ask(conversation, [user('Who?')], 'I am that I am.', 2);
    expect(stats).toMatchObject({ stopReason: 'aborted', generatedTokens: 2 });
    expect(text).not.toBe('');
    const said = [user('Who?'), assistant(text)];
    expect(conversation.messages).toEqual(said);
    await ask(conversation, [...said, user('And?')], 'No.', 0);
    expect(conversation.messages).toEqual(said);
    await ask(conversation, [...said, user('And?')], 'No.');
    expect(conversation.messages).toHaveLength(4);
  });

  it('reset forgets what was said, keeps the system message or takes another', async () => {
    const conversation = new Conversation(session, { maxTokens: 8, system: 'Be.' });
    await ask(conversation, [{ role: 'system', content: 'Be.' }, user('Who?')], 'I.');
    conversation.reset();
    expect(conversation.messages).toEqual([{ role: 'system', content: 'Be.' }]);
    conversation.reset('Sing.');
    await ask(conversation, [{ role: 'system', content: 'Sing.' }, user('Who?')], 'La.');
    conversation.reset('');
    expect(conversation.messages).toEqual([]);
  });

  it('refuses bad options at once', () => {
    expect(() => new Conversation(session, { topP: 2 })).toThrow('RUNTIME_OPTION_INVALID');
    expect(() => new Conversation(session, { maxTokens: 0 })).toThrow('RUNTIME_OPTION_INVALID');
  });
});
