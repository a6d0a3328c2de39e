/** `tokenizer.ggml.model` "gpt2": byte-pair encoding over the bytes of words. */
import { printable } from '@tundish/diagnostics';
import type { MetadataFields } from '../metadata-fields.js';
import { PRE_TOKENIZERS } from './pre-tokenizers.js';
import type { TokenizerModel } from './tokenizer-model.js';
import { invalidTokenizer, unsupportedTokenizer } from './vocabulary.js';
import type { GgufVocabulary } from './vocabulary.js';

/** @throws TundishError GGUF_TOKENIZER_UNSUPPORTED for an unknown pre-tokenizer, GGUF_TOKENIZER_INVALID */
export function byteLevelModel(vocabulary: GgufVocabulary, fields: MetadataFields): TokenizerModel {
  const name = fields.text('tokenizer.ggml.pre');
  const pre = PRE_TOKENIZERS.get(name ?? '');
  if (pre === undefined) {
    const found = name === undefined ? 'tokenizer.ggml.pre is missing' : `unknown pre-tokenizer ${printable(name, 60)}`;
    const fix = 'Without it words are cut wrongly, and no message says so: take a file that names its pre-tokenizer, or the original checkpoint.';
    throw unsupportedTokenizer(vocabulary.path, `${found}; known: ${[...PRE_TOKENIZERS.keys()].join(' ')}`, fix);
  }
  if (fields.flag('tokenizer.ggml.add_space_prefix', false)) {
    throw unsupportedTokenizer(vocabulary.path, 'tokenizer.ggml.add_space_prefix is true with byte-level tokens', 'Import the checkpoint that the file was made from instead.');
  }
  return {
    normalizer: pre.normalizer,
    preTokenizer: pre.splits.length === 1 ? (pre.splits[0] ?? null) : { type: 'Sequence', pretokenizers: pre.splits },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: pre.ignoreMerges,
      vocab: Object.fromEntries(vocabulary.tokens.map((token, id) => [token, id])),
      merges: readMerges(vocabulary, fields),
    },
    addsBos: pre.addsBos,
    addsEos: false,
  };
}

function readMerges(vocabulary: GgufVocabulary, fields: MetadataFields): [string, string][] {
  const merges = fields.texts('tokenizer.ggml.merges');
  if (merges === undefined) throw fields.invalid('tokenizer.ggml.merges', 'is missing');
  const known = new Set(vocabulary.tokens);
  return merges.map((merge, rank) => {
    const [left, right, ...rest] = merge.split(' ');
    if (left === undefined || right === undefined || rest.length > 0) throw invalidTokenizer(vocabulary.path, `merge ${rank} is not a pair of tokens`);
    const pair: [string, string] = [left, right];
    const unknown = [...pair, pair.join('')].find((token) => !known.has(token));
    if (unknown === undefined) return pair;
    throw invalidTokenizer(vocabulary.path, `merge ${rank}: ${printable(JSON.stringify(unknown), 80)} is not a token`);
  });
}
