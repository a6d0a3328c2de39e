/** The tokens of a GGUF file with their kinds, scores and roles. */
import { printable } from '@tundish/diagnostics';
import { fault } from '../../errors.js';
import type { MetadataFields } from '../metadata-fields.js';

/** `tokenizer.ggml.token_type`. */
export const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** Ids of the tokens with a role; a role that no token has is absent. */
export interface TokenRoles {
  readonly bos?: number;
  readonly eos?: number;
  readonly eot?: number;
  readonly eom?: number;
  readonly unknown?: number;
  readonly padding?: number;
}

export interface GgufVocabulary {
  readonly path: string;
  /** By id; all different. */
  readonly tokens: readonly string[];
  /** By id, numbers of `TOKEN_TYPE`. */
  readonly types: readonly number[];
  readonly roles: TokenRoles;
}

/** Ends of a turn and of a message by their text, as llama.cpp finds them in files that name no id. */
const ROLE_TEXTS: Readonly<Partial<Record<keyof TokenRoles, readonly string[]>>> = {
  eot: ['<|eot_id|>', '<|im_end|>', '<|end|>', '<end_of_turn>'],
  eom: ['<|eom_id|>'],
};

const ROLE_KEYS: Readonly<Record<keyof TokenRoles, string>> = {
  bos: 'bos_token_id',
  eos: 'eos_token_id',
  eot: 'eot_token_id',
  eom: 'eom_token_id',
  unknown: 'unknown_token_id',
  padding: 'padding_token_id',
};

/**
 * @param rows of the embedding: as many tokens must be there
 * @param presets roles that a tokenizer model has when the file names none
 * @throws TundishError GGUF_TOKENIZER_INVALID, GGUF_METADATA_INVALID
 */
export function readVocabulary(path: string, fields: MetadataFields, rows: number, presets: TokenRoles): GgufVocabulary {
  const tokens = fields.texts('tokenizer.ggml.tokens');
  if (tokens === undefined) throw fields.invalid('tokenizer.ggml.tokens', 'is missing');
  if (tokens.length !== rows) throw invalidTokenizer(path, `${tokens.length} tokens, but the embedding token_embd.weight has ${rows} rows`);
  refuseTwins(path, tokens);
  const types = fields.integers('tokenizer.ggml.token_type') ?? tokens.map(() => TOKEN_TYPE.normal);
  if (types.length !== rows) throw invalidTokenizer(path, `${tokens.length} tokens, but ${types.length} token types`);
  return { path, tokens, types, roles: readRoles(path, fields, rows, { ...rolesByText(tokens, types), ...presets }) };
}

export function invalidTokenizer(path: string, what: string): Error {
  return fault('GGUF_TOKENIZER_INVALID', { what: `${path}: ${what}`, evidence: { path }, fix: 'Convert the model again with a current llama.cpp.' });
}

export function unsupportedTokenizer(path: string, what: string, fix: string): Error {
  return fault('GGUF_TOKENIZER_UNSUPPORTED', { what: `${path}: ${what}`, evidence: { path }, fix });
}

/** Only control tokens count: a text may also be an ordinary word. */
function rolesByText(tokens: readonly string[], types: readonly number[]): TokenRoles {
  const found = Object.entries(ROLE_TEXTS).flatMap(([role, texts]) => {
    const id = tokens.findIndex((token, i) => types[i] === TOKEN_TYPE.control && texts.includes(token));
    return id < 0 ? [] : [[role, id] as const];
  });
  return Object.fromEntries(found);
}

function readRoles(path: string, fields: MetadataFields, rows: number, presets: TokenRoles): TokenRoles {
  const found = Object.entries(ROLE_KEYS).flatMap(([role, name]) => {
    const id = fields.natural(`tokenizer.ggml.${name}`) ?? presets[role as keyof TokenRoles];
    if (id === undefined) return [];
    if (id >= rows) throw invalidTokenizer(path, `${name} ${id} is not a token of the vocabulary (${rows})`);
    return [[role, id] as const];
  });
  return Object.fromEntries(found);
}

function refuseTwins(path: string, tokens: readonly string[]): void {
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const twin = ids.get(token);
    if (twin !== undefined) throw invalidTokenizer(path, `tokens ${twin} and ${id} are both ${printable(JSON.stringify(token), 80)}`);
    ids.set(token, id);
  }
}
