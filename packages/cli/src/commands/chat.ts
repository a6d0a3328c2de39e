/** chat: a conversation with a container, at a terminal or line by line from a pipe. */
import { TundishError, printable } from '@tundish/diagnostics';
import { Conversation, type GenerationStats, type Session } from '@tundish/runtime';
import { CHAT_HELP, type ChatRequest, parseChatLine } from '../chat-command.js';
import { collectTokens } from '../collect-tokens.js';
import { describeStats } from '../describe-stats.js';
import { coloursWanted } from '../environment.js';
import { cliError } from '../errors.js';
import type { RunnableOptions } from '../executable-container.js';
import { type Io, ioReporter } from '../io.js';
import { LineInput } from '../line-input.js';
import { openRunnable } from '../open-runnable.js';
import { type SamplingFlags, samplingOf } from '../sampling-flags.js';

export interface ChatOptions extends SamplingFlags, RunnableOptions {
  /** Text of the system message. */
  readonly system?: string;
  readonly json: boolean;
}

/** One line of `--json`. */
export interface ChatAnswer {
  readonly role: 'assistant';
  readonly content: string;
  readonly ids: readonly number[];
  readonly stats: GenerationStats;
}

/** What a person may do something about, without losing the conversation. */
const FORGIVEN: readonly string[] = ['RUNTIME_CAPACITY', 'CHAT_TEMPLATE_FAILED'];

/**
 * Reads lines from the standard input until they end: answers go to `io.out`, everything else to `io.err`.
 *
 * @returns whether the person left with Ctrl-C
 * @throws CLI_CHAT_TEMPLATE before a line is read, what openContainer throws, the reason of `signal`; where nobody types, also
 *   what a message fails with
 */
export async function chatCommand(options: ChatOptions, io: Io): Promise<boolean> {
  const reporter = ioReporter(io);
  const session = await openRunnable(options, reporter).finally(() => reporter.close());
  try {
    requireChatTemplate(session);
    const conversation = new Conversation(session, { ...samplingOf(options), ...(options.system === undefined ? {} : { system: options.system }) });
    options.signal.throwIfAborted();
    const input = new LineInput(process);
    const leave = (): void => input.close();
    options.signal.addEventListener('abort', leave);
    try {
      await converse({ conversation, input, io, options });
    } finally {
      options.signal.removeEventListener('abort', leave);
      input.close();
    }
    options.signal.throwIfAborted();
    return input.interrupted;
  } finally {
    await session.close();
  }
}

interface Chat {
  readonly conversation: Conversation;
  readonly input: LineInput;
  readonly io: Io;
  readonly options: ChatOptions;
}

async function converse(chat: Chat): Promise<void> {
  if (chat.input.interactive) chat.io.err('Type a message, or /help.\n');
  for (;;) {
    const line = await chat.input.next();
    if (line === undefined || chat.options.signal.aborted) return;
    const request = parseChatLine(line);
    if (request.kind === 'exit') return;
    if (request.kind === 'message') await answer(chat, request.text);
    else obey(chat, request);
  }
}

function obey({ conversation, io }: Chat, request: Exclude<ChatRequest, { kind: 'message' | 'exit' }>): void {
  switch (request.kind) {
    case 'nothing':
      return;
    case 'help':
      return io.err(CHAT_HELP);
    case 'reset':
      conversation.reset();
      return io.err('(forgotten)\n');
    case 'system':
      conversation.reset(request.text);
      return io.err(request.text === '' ? '(no system message; forgotten)\n' : '(system message set; forgotten)\n');
    case 'unknown':
      return io.err(`(${printable(request.text)} is no command; /help lists them, and a space in front makes it a message)\n`);
  }
}

/** At a terminal, a message that is refused leaves the conversation as it was. */
async function answer(chat: Chat, text: string): Promise<void> {
  try {
    await chat.input.interruptible((stop) => say(chat, text, AbortSignal.any([chat.options.signal, stop])));
  } catch (error) {
    if (!chat.input.interactive || !(error instanceof TundishError) || !FORGIVEN.includes(error.code)) throw error;
    chat.io.err(`${error.message}\n`);
  }
}

async function say({ conversation, io, options }: Chat, text: string, signal: AbortSignal): Promise<void> {
  const reply = await conversation.ask(text, signal);
  if (reply.dropped > 0) io.err(`(no room: the oldest ${reply.dropped === 1 ? 'exchange is' : `${reply.dropped} exchanges are`} forgotten)\n`);
  const { ids, text: content } = await collectTokens(reply, options.json ? undefined : io);
  const stats = reply.stats as GenerationStats;
  const line: ChatAnswer = { role: 'assistant', content, ids, stats };
  io.out(options.json ? `${JSON.stringify(line)}\n` : '\n');
  if (stats.stopReason === 'aborted' && content === '') io.err('(stopped before a word; the message is forgotten)\n');
  if (process.stderr.isTTY) io.err(`${dim(describeStats(stats))}\n`);
}

/** Faint, unless the person wants no colours. */
function dim(text: string): string {
  return coloursWanted() ? `\u001b[2m${text}\u001b[22m` : text;
}

/** @throws CLI_CHAT_TEMPLATE */
function requireChatTemplate({ container, tokenizer }: Session): void {
  if (tokenizer?.hasChatTemplate === true) return;
  throw cliError('CLI_CHAT_TEMPLATE', {
    what: `${printable(container.folder)} has no chat template`,
    why: 'without one nobody knows how the model expects a conversation to be written',
    evidence: { path: container.folder },
    fix: `use generate, which continues text: npx tundish generate ${printable(container.folder)} --prompt "And God said"; or put the chat_template.jinja of the model into the checkpoint folder and build again`,
  });
}
