/** The tokenizer of a GGUF file as the files that transformers keeps beside the weights. */
import { printable } from '@tundish/diagnostics';
import { MetadataFields } from '../metadata-fields.js';
import type { GgufHeader } from '../read-header.js';
import { byteLevelModel } from './byte-level.js';
import { sentencePieceModel } from './sentence-piece.js';
import type { TokenizerModel } from './tokenizer-model.js';
import { unigramModel } from './unigram.js';
import { TOKEN_TYPE, readVocabulary, unsupportedTokenizer } from './vocabulary.js';
import type { GgufVocabulary, TokenRoles } from './vocabulary.js';

export interface PlannedTokenizer {
  /** Contents by file name. */
  readonly files: Readonly<Record<'tokenizer.json' | 'tokenizer_config.json' | 'special_tokens_map.json', object>>;
  readonly roles: TokenRoles;
}

/** One value of `tokenizer.ggml.model`. */
interface TokenizerKind {
  /** Roles of llama.cpp for files that name none. */
  readonly presets: TokenRoles;
  readonly build: (vocabulary: GgufVocabulary, fields: MetadataFields) => TokenizerModel;
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: false;
  readonly lstrip: false;
  readonly rstrip: false;
  readonly normalized: false;
  readonly special: boolean;
}

const KINDS: ReadonlyMap<string, TokenizerKind> = new Map([
  ['gpt2', { presets: {}, build: byteLevelModel }],
  ['llama', { presets: { bos: 1, eos: 2, unknown: 0 }, build: sentencePieceModel }],
  ['t5', { presets: { eos: 1, unknown: 2, padding: 0 }, build: unigramModel }],
]);

/**
 * @param rows of the embedding
 * @throws TundishError GGUF_TOKENIZER_UNSUPPORTED, GGUF_TOKENIZER_INVALID, GGUF_METADATA_INVALID
 */
export function planTokenizer(header: GgufHeader, rows: number): PlannedTokenizer {
  const fields = new MetadataFields(header);
  const name = fields.text('tokenizer.ggml.model');
  const kind = KINDS.get(name ?? '');
  if (kind === undefined) {
    const found = name === undefined ? 'tokenizer.ggml.model is missing' : `unknown tokenizer ${printable(name, 60)}`;
    throw unsupportedTokenizer(header.path, `${found}; known: ${[...KINDS.keys()].join(' ')}`, 'Take a model with a known tokenizer.');
  }
  const vocabulary = readVocabulary(header.path, fields, rows, kind.presets);
  return { files: composeFiles(vocabulary, fields, kind.build(vocabulary, fields)), roles: vocabulary.roles };
}

function composeFiles(vocabulary: GgufVocabulary, fields: MetadataFields, model: TokenizerModel): PlannedTokenizer['files'] {
  const added = addedTokens(vocabulary);
  const names = roleNames(vocabulary);
  const adds = {
    bos: fields.flag('tokenizer.ggml.add_bos_token', model.addsBos) ? vocabulary.roles.bos : undefined,
    eos: fields.flag('tokenizer.ggml.add_eos_token', model.addsEos) ? vocabulary.roles.eos : undefined,
  };
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: model.normalizer,
      pre_tokenizer: model.preTokenizer,
      post_processor: postProcessor(vocabulary, adds),
      decoder: model.decoder,
      model: model.model,
    },
    'tokenizer_config.json': {
      add_bos_token: adds.bos !== undefined,
      add_eos_token: adds.eos !== undefined,
      added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [String(id), token])),
      ...names,
      ...chatTemplate(fields),
      clean_up_tokenization_spaces: false,
      tokenizer_class: 'PreTrainedTokenizerFast',
    },
    'special_tokens_map.json': names,
  };
}

/** Control and unknown tokens are special; so are the ones that begin or end a text, whatever their type says. */
function addedTokens({ tokens, types, roles }: GgufVocabulary): AddedToken[] {
  const edges = new Set([roles.bos, roles.eos, roles.eot, roles.eom]);
  return tokens.flatMap((content, id) => {
    const special = types[id] === TOKEN_TYPE.control || types[id] === TOKEN_TYPE.unknown || edges.has(id);
    if ((!special && types[id] !== TOKEN_TYPE.userDefined) || content === '') return [];
    return [{ id, content, single_word: false as const, lstrip: false as const, rstrip: false as const, normalized: false as const, special }];
  });
}

function postProcessor({ tokens }: GgufVocabulary, { bos, eos }: { readonly bos: number | undefined; readonly eos: number | undefined }): object | null {
  if (bos === undefined && eos === undefined) return null;
  const item = (id: number | undefined): object[] => (id === undefined ? [] : [{ SpecialToken: { id: tokens[id], type_id: 0 } }]);
  const around = (sequence: string): object[] => [...item(bos), { Sequence: { id: sequence, type_id: 0 } }, ...item(eos)];
  const used = [...new Set([bos, eos])].filter((id) => id !== undefined);
  return {
    type: 'TemplateProcessing',
    single: around('A'),
    pair: [...around('A'), ...around('B')],
    special_tokens: Object.fromEntries(used.map((id) => [tokens[id], { id: tokens[id], ids: [id], tokens: [tokens[id]] }])),
  };
}

function roleNames({ tokens, roles }: GgufVocabulary): Record<string, string | undefined> {
  const named = { bos_token: roles.bos, eos_token: roles.eos, pad_token: roles.padding, unk_token: roles.unknown };
  return Object.fromEntries(Object.entries(named).flatMap(([name, id]) => (id === undefined ? [] : [[name, tokens[id]]])));
}

/** One template is a text; several are a list with names, of which `default` is the first. */
function chatTemplate(fields: MetadataFields): { readonly chat_template?: string | readonly object[] } {
  const template = fields.text('tokenizer.chat_template');
  const others = (fields.texts('tokenizer.chat_templates') ?? []).flatMap((name) => {
    const text = fields.text(`tokenizer.chat_template.${name}`);
    return text === undefined ? [] : [{ name, template: text }];
  });
  if (others.length === 0) return template === undefined ? {} : { chat_template: template };
  return { chat_template: [...(template === undefined ? [] : [{ name: 'default', template }]), ...others] };
}
