/** What a conversation is made of, and which template of a tokenizer renders it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fault } from './errors.js';
import { isObject } from './tokenizer-file.js';
import type { Json } from './tokenizer-file.js';

/** One turn; templates may read further fields (`name`, `tool_calls`), which are passed through. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

export interface RenderChatOptions {
  /** Whether the header of the assistant's turn is appended. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Tool descriptions as JSON schema, when the template knows tools. */
  readonly tools?: readonly unknown[];
}

export interface ChatTemplate {
  readonly source: string;
  readonly path: string;
}

/** chat_template.jinja if it is there, else the field of tokenizer_config.json (of several templates, `default`). */
export async function readChatTemplate(folder: string, config: Json): Promise<ChatTemplate | undefined> {
  const path = join(folder, 'chat_template.jinja');
  const file = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw fault('TOKENIZER_NOT_FOUND', { what: `${path} cannot be read`, evidence: { path }, fix: 'Check that it is a file with read permission.', cause: error });
  });
  if (file !== undefined) return { source: file, path };
  const field = config['chat_template'];
  const list: unknown[] = Array.isArray(field) ? field : [];
  const named = list.find((entry) => isObject(entry) && entry['name'] === 'default');
  const source = isObject(named) ? named['template'] : field;
  return typeof source === 'string' ? { source, path: join(folder, 'tokenizer_config.json') } : undefined;
}

/** `bos_token`, `eos_token` and the other named tokens of tokenizer_config.json, as templates expect them. */
export function namedTokens(config: Json): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const name of ['bos_token', 'eos_token', 'unk_token', 'pad_token', 'sep_token', 'cls_token', 'mask_token']) {
    const value = config[name];
    const content = isObject(value) ? value['content'] : value;
    if (typeof content === 'string') tokens[name] = content;
  }
  return tokens;
}
