/** Reads tokenizer.json and tokenizer_config.json, and refuses what contradicts itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, printable } from '@tundish/diagnostics';
import { fault } from './errors.js';

export type Json = Readonly<Record<string, unknown>>;

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

export interface TokenizerFile {
  /** tokenizer.json as it stands. */
  readonly json: Json;
  /** tokenizer_config.json; empty when there is none. */
  readonly config: Json;
  readonly model: Json & { readonly type: 'BPE' | 'Unigram' };
  /** Id by token of the model, without added tokens. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Pairs in the order of their rank; empty for Unigram. */
  readonly merges: readonly (readonly [string, string])[];
  readonly addedTokens: readonly AddedToken[];
}

/** @throws TundishError TOKENIZER_NOT_FOUND, TOKENIZER_NOT_JSON, TOKENIZER_INVALID, TOKENIZER_UNSUPPORTED */
export async function readTokenizerFile(folder: string): Promise<TokenizerFile> {
  const path = join(folder, 'tokenizer.json');
  const json = await readJson(path);
  if (json === undefined) {
    throw fault('TOKENIZER_NOT_FOUND', { what: `tokenizer.json not found in ${folder}`, evidence: { path }, fix: 'Download the tokenizer files of the checkpoint.' });
  }
  const config = (await readJson(join(folder, 'tokenizer_config.json'))) ?? {};
  const model = readModel(json, path);
  const vocabulary = model.type === 'BPE' ? readBpeVocabulary(model, path) : readUnigramVocabulary(model, path);
  const addedTokens = readAddedTokens(json, path);
  refuseDuplicateIds(vocabulary, addedTokens, path);
  return { json, config, model, vocabulary, merges: model.type === 'BPE' ? readMerges(model, vocabulary, path) : [], addedTokens };
}

/** undefined when the file is not there. */
async function readJson(path: string): Promise<Json | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw fault('TOKENIZER_NOT_FOUND', { what: `${path} cannot be read`, evidence: { path }, fix: 'Check that it is a file with read permission.', cause: error });
  }
  const value = parseJson(bytes, path);
  if (isObject(value)) return value;
  throw fault('TOKENIZER_NOT_JSON', { what: `${path} must hold a JSON object`, evidence: { path }, fix: 'Download the file again.' });
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  let text = '';
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return JSON.parse(text);
  } catch (error) {
    const why = messageOf(error);
    const before = text.slice(0, Number(/at position (\d+)/.exec(why)?.[1] ?? 0));
    const place = text === '' ? {} : { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') };
    throw fault('TOKENIZER_NOT_JSON', { what: `${path} is not valid JSON`, why: printable(why), evidence: { path, ...place }, fix: 'The file is cut short or damaged: download it again.' });
  }
}

function readModel(json: Json, path: string): TokenizerFile['model'] {
  const model = json['model'];
  const type = isObject(model) ? model['type'] : undefined;
  if (isObject(model) && (type === 'BPE' || type === 'Unigram')) {
    for (const key of ['continuing_subword_prefix', 'end_of_word_suffix']) if (model[key]) throw unsupported(path, `model.${key}`);
    return { ...model, type };
  }
  throw unsupported(path, `model type ${printable(String(type), 60)}; known: BPE Unigram`);
}

function readBpeVocabulary(model: Json, path: string): Map<string, number> {
  const vocab = model['vocab'];
  if (!isObject(vocab)) throw invalid(path, 'model.vocab must map tokens to ids');
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) throw invalid(path, `token ${show(token)} has no valid id`);
    vocabulary.set(token, id);
  }
  return vocabulary;
}

function readUnigramVocabulary(model: Json, path: string): Map<string, number> {
  const vocab = model['vocab'];
  if (!Array.isArray(vocab)) throw invalid(path, 'model.vocab must be a list of [token, score]');
  const vocabulary = new Map<string, number>();
  for (const [id, entry] of (vocab as unknown[]).entries()) {
    const [token, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof token !== 'string' || typeof score !== 'number') throw invalid(path, `entry ${id} of model.vocab is not [token, score]`);
    if (vocabulary.has(token)) throw invalid(path, `token ${show(token)} is in the vocabulary twice`);
    vocabulary.set(token, id);
  }
  return vocabulary;
}

function readMerges(model: Json, vocabulary: ReadonlyMap<string, number>, path: string): [string, string][] {
  const merges = model['merges'];
  if (!Array.isArray(merges)) throw invalid(path, 'model.merges must be a list');
  return (merges as unknown[]).map((merge, rank) => {
    const [left, right, ...rest] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? (merge as unknown[]) : [];
    if (typeof left !== 'string' || typeof right !== 'string' || rest.length > 0) throw invalid(path, `merge ${rank} is not a pair of tokens`);
    for (const token of [left, right, left + right]) {
      if (!vocabulary.has(token)) throw invalid(path, `merge ${show(`${left} ${right}`)}: token ${show(token)} not in the vocabulary`);
    }
    return [left, right];
  });
}

function readAddedTokens(json: Json, path: string): AddedToken[] {
  const list = json['added_tokens'] ?? [];
  if (!Array.isArray(list)) throw invalid(path, 'added_tokens must be a list');
  return (list as unknown[]).map((entry, index) => {
    const { id, content, special } = isObject(entry) ? entry : {};
    if (!isId(id) || typeof content !== 'string' || content === '') throw invalid(path, `added token ${index} needs an id and a content`);
    return { id, content, special: special === true };
  });
}

/** An added token may repeat a token of the model, but one id must not mean two texts. */
function refuseDuplicateIds(vocabulary: ReadonlyMap<string, number>, added: readonly AddedToken[], path: string): void {
  const tokens = new Map<number, string>();
  for (const [token, id] of [...vocabulary, ...added.map(({ content, id }) => [content, id] as const)]) {
    const known = tokens.get(id);
    if (known !== undefined && known !== token) throw invalid(path, `id ${id} is given twice: to ${show(known)} and ${show(token)}`);
    tokens.set(id, token);
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function unsupported(path: string, what: string): Error {
  return fault('TOKENIZER_UNSUPPORTED', { what: `tokenizer.json asks for ${what}, which is not supported`, evidence: { path }, fix: 'Use a checkpoint with a BPE or Unigram tokenizer of the Llama kind.' });
}

export function invalid(path: string, what: string): Error {
  return fault('TOKENIZER_INVALID', { what: `tokenizer.json: ${what}`, evidence: { path }, fix: 'The file is damaged or was edited: download it again.' });
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < 2 ** 24;
}

function show(token: string): string {
  return printable(JSON.stringify(token), 80);
}
