/** A text file for calibration or evaluation as token ids: plain text, JSONL with one document a line, or conversations. */
import { TundishError, printable } from '@tundish/diagnostics';
import type { ChatMessage } from './chat.js';
import { fault } from './errors.js';
import { isObject } from './tokenizer-file.js';
import type { Json } from './tokenizer-file.js';
import type { Tokenizer } from './tokenizer.js';

/** `text`: one document. `jsonl`: `{"text": ...}` a line. `chat`: `{"messages": [...]}` a line, through the chat template. */
export type CorpusFormat = 'text' | 'jsonl' | 'chat';

export interface Corpus {
  readonly format: CorpusFormat;
  /** Where the bytes come from, for messages. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * Token ids of all documents, without the special tokens that the tokenizer adds itself. Between documents stands `join`; a
 * document that begins with it, as rendered conversations do, loses that one, so that the ids never begin with it either.
 *
 * @param join token between documents, usually BOS; null for none
 * @throws CORPUS_NOT_UTF8, CORPUS_LINE and CORPUS_EMPTY with the line, TOKENIZER_*, CHAT_TEMPLATE_*
 */
export async function encodeCorpus(tokenizer: Tokenizer, corpus: Corpus, join: number | null): Promise<number[]> {
  const text = decoded(corpus);
  if (corpus.format === 'text') return tokenizer.encode(text, { addSpecialTokens: false });
  const parts: number[][] = [];
  for (const record of recordsOf(text, corpus)) {
    const document = corpus.format === 'chat' ? await rendered(tokenizer, record, corpus) : textOf(record, corpus);
    const ids = tokenizer.encode(document, { addSpecialTokens: false });
    const body = join !== null && ids[0] === join ? ids.slice(1) : ids;
    if (parts.length > 0 && join !== null) parts.push([join]);
    parts.push(body);
  }
  return parts.flat();
}

/** One line of a JSONL file. */
interface Line {
  readonly line: number;
  readonly value: Json;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function decoded({ bytes, path }: Corpus): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw fault('CORPUS_NOT_UTF8', { what: 'the text is not valid UTF-8', evidence: { path, line: firstBadLine(bytes) }, fix: 'convert it: iconv -t UTF-8', cause });
  }
}

/** A line feed is one byte that no other character of UTF-8 contains, so lines can be decoded one by one. */
function firstBadLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(10, start);
    const stop = end < 0 ? bytes.length : end + 1;
    try {
      UTF8.decode(bytes.subarray(start, stop));
    } catch {
      return line;
    }
    start = stop;
  }
  return line;
}

function* recordsOf(text: string, { path }: Corpus): Generator<Line> {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw fault('CORPUS_EMPTY', { what: 'the file holds no line', evidence: { path }, fix: 'give one JSON object a line' });
  for (const [index, source] of lines.entries()) {
    const line = index + 1;
    let value: unknown;
    try {
      value = JSON.parse(source);
    } catch (cause) {
      const what = source.trim() === '' ? 'the line is empty' : `the line is not JSON: ${printable(source, 60)}`;
      throw fault('CORPUS_LINE', { what, evidence: { path, line }, fix: 'write one JSON object a line, without line breaks inside it', cause });
    }
    if (!isObject(value)) throw fault('CORPUS_LINE', { what: 'the line is no JSON object', evidence: { path, line }, fix: 'write one JSON object a line' });
    yield { line, value };
  }
}

function textOf({ line, value }: Line, { path }: Corpus): string {
  const text = value['text'];
  if (typeof text === 'string' && text !== '') return text;
  const fix = Array.isArray(value['messages']) ? 'these are conversations: write format: chat, or name the file *.chat.jsonl' : 'write {"text": "..."}, or remove the line';
  throw fault('CORPUS_LINE', { what: text === '' ? 'the field text is empty' : 'the object has no field text with a string', evidence: { path, line }, fix });
}

async function rendered(tokenizer: Tokenizer, record: Line, corpus: Corpus): Promise<string> {
  const messages = messagesOf(record, corpus);
  return tokenizer.renderChat(messages, { addGenerationPrompt: false }).catch((cause: unknown) => {
    if (!(cause instanceof TundishError) || cause.code !== 'CHAT_TEMPLATE_FAILED') throw cause;
    throw fault('CORPUS_LINE', { what: 'the chat template refuses the conversation', why: cause.what, evidence: { path: corpus.path, line: record.line }, fix: 'check its roles and their order, or remove the line', cause });
  });
}

function messagesOf({ line, value }: Line, { path }: Corpus): readonly ChatMessage[] {
  const messages: unknown = value['messages'];
  const refuse = (what: string): Error => fault('CORPUS_LINE', { what, evidence: { path, line }, fix: 'write {"messages": [{"role": "user", "content": "..."}, ...]}' });
  if (!Array.isArray(messages) || messages.length === 0) throw refuse('the object has no field messages with at least one message');
  const wrong = messages.findIndex((message: unknown) => !isObject(message) || typeof message['role'] !== 'string' || typeof message['content'] !== 'string');
  if (wrong >= 0) throw refuse(`message ${wrong + 1} has no role and content that are strings`);
  return messages as readonly ChatMessage[];
}
