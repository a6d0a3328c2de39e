/** `tokenizer.ggml.model` "t5": SentencePiece's unigram model, which takes the most probable cutting. */
import type { MetadataFields } from '../metadata-fields.js';
import { SPACE_MARK, hasByteTokens, readScores } from './sentence-piece.js';
import type { TokenizerModel } from './tokenizer-model.js';
import { unsupportedTokenizer } from './vocabulary.js';
import type { GgufVocabulary } from './vocabulary.js';

/** @throws TundishError GGUF_TOKENIZER_UNSUPPORTED for a character map, GGUF_TOKENIZER_INVALID */
export function unigramModel(vocabulary: GgufVocabulary, fields: MetadataFields): TokenizerModel {
  const fix = 'Import the checkpoint that the file was made from instead.';
  if ((fields.integers('tokenizer.ggml.precompiled_charsmap') ?? []).length > 0) {
    throw unsupportedTokenizer(vocabulary.path, 'tokenizer.ggml.precompiled_charsmap rewrites characters, which is not supported', fix);
  }
  const scores = readScores(vocabulary, fields);
  const scheme = fields.flag('tokenizer.ggml.add_space_prefix', true) ? 'always' : 'never';
  const metaspace = { type: 'Metaspace', replacement: SPACE_MARK, prepend_scheme: scheme, split: true };
  const bytes = hasByteTokens(vocabulary);
  const collapses = fields.flag('tokenizer.ggml.remove_extra_whitespaces', false);
  return {
    normalizer: collapses ? { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' } : null,
    preTokenizer: metaspace,
    decoder: bytes ? { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, metaspace] } : metaspace,
    model: {
      type: 'Unigram',
      unk_id: vocabulary.roles.unknown ?? null,
      vocab: vocabulary.tokens.map((token, id) => [token, scores[id]]),
      byte_fallback: bytes,
    },
    addsBos: false,
    addsEos: true,
  };
}
