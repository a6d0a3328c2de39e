/** `tokenizer.ggml.model` "llama": SentencePiece's byte-pair encoding, which merges by the score of the result. */
import type { MetadataFields } from '../metadata-fields.js';
import type { TokenizerModel } from './tokenizer-model.js';
import { TOKEN_TYPE, invalidTokenizer, unsupportedTokenizer } from './vocabulary.js';
import type { GgufVocabulary } from './vocabulary.js';

interface Merge {
  readonly pair: [string, string];
  readonly score: number;
}

/** Stands for a space inside tokens. */
export const SPACE_MARK = '\u2581';

/**
 * A BPE model with ranks instead of scores. SentencePiece merges the neighbours whose union scores best; so every way to cut
 * a token in two is a merge, ranked by the token's score (as `SentencePieceExtractor` of transformers does).
 *
 * @throws TundishError GGUF_TOKENIZER_UNSUPPORTED when the scores give no order, GGUF_TOKENIZER_INVALID
 */
export function sentencePieceModel(vocabulary: GgufVocabulary, fields: MetadataFields): TokenizerModel {
  const prefixed = fields.flag('tokenizer.ggml.add_space_prefix', true);
  const spaces = { type: 'Replace', pattern: { String: ' ' }, content: SPACE_MARK };
  return {
    normalizer: prefixed ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: SPACE_MARK }, spaces] } : spaces,
    preTokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE_MARK }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefixed ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: vocabulary.tokens[vocabulary.roles.unknown ?? 0] ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: hasByteTokens(vocabulary),
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary.tokens.map((token, id) => [token, id])),
      merges: deriveMerges(vocabulary, readScores(vocabulary, fields)),
    },
    addsBos: true,
    addsEos: false,
  };
}

/** @throws TundishError GGUF_TOKENIZER_INVALID unless there is a score for every token */
export function readScores(vocabulary: GgufVocabulary, fields: MetadataFields): readonly number[] {
  const scores = fields.floats('tokenizer.ggml.scores');
  if (scores === undefined) throw fields.invalid('tokenizer.ggml.scores', 'is missing');
  if (scores.length === vocabulary.tokens.length) return scores;
  throw invalidTokenizer(vocabulary.path, `${vocabulary.tokens.length} tokens, but ${scores.length} scores`);
}

/** Whether all 256 bytes have a token `<0xNN>`, which is what a character without a token becomes. */
export function hasByteTokens(vocabulary: GgufVocabulary): boolean {
  const tokens = new Set(vocabulary.tokens);
  return Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`).every((token) => tokens.has(token));
}

function deriveMerges({ path, tokens, types }: GgufVocabulary, scores: readonly number[]): [string, string][] {
  const ids = new Map(tokens.flatMap((token, id) => (types[id] === TOKEN_TYPE.normal ? [[token, id] as const] : [])));
  const merges: Merge[] = [];
  for (const [token, id] of ids) {
    // Between code points: half of a surrogate pair is never a token.
    for (let cut = 1; cut < token.length; cut++) {
      const pair: [string, string] = [token.slice(0, cut), token.slice(cut)];
      if (ids.has(pair[0]) && ids.has(pair[1])) merges.push({ pair, score: scores[id] ?? 0 });
    }
  }
  if (merges.length > 1 && merges.every(({ score }) => score === merges[0]?.score)) {
    const fix = 'Convert the model again from a checkpoint that has its tokenizer.model, or import the checkpoint itself.';
    throw unsupportedTokenizer(path, 'all tokens have the same score, so the order of the merges is lost', fix);
  }
  // Sorting is stable: equal scores and lengths stay in the order of the ids.
  const order = (a: Merge, b: Merge): number => b.score - a.score || b.pair[0].length - a.pair[0].length || b.pair[1].length - a.pair[1].length;
  return merges.sort(order).map(({ pair }) => pair);
}
