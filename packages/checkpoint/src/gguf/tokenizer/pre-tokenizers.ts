/** What the names of `tokenizer.ggml.pre` stand for: how text is cut into words before bytes are merged. */

export interface PreTokenizer {
  /** Parts of a tokenizer.json, in front of the mapping of bytes. */
  readonly splits: readonly object[];
  /** Whether a word that is a token is taken whole, whatever the merges say. */
  readonly ignoreMerges: boolean;
  /** Whether bos goes in front where the file does not say. */
  readonly addsBos: boolean;
  /** The `normalizer` of the tokenizer.json that the name comes from; llama.cpp has none. */
  readonly normalizer: object | null;
}

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const LETTERS = '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+';
const REST = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const MARK = '[^\\r\\n\\p{L}\\p{N}]?';

const LLAMA3 = split(`${CONTRACTIONS}|${LETTERS}|\\p{N}{1,3}|${REST}`);
const QWEN2 = split(`${CONTRACTIONS}|${LETTERS}|\\p{N}|${REST}`);
const TEKKEN = split(`${MARK}${UPPER}*${LOWER}+|${MARK}${UPPER}+${LOWER}*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`);
/** The same as `Digits` with individual_digits, which some libraries take to mean 0 to 9 only. */
const SINGLE_DIGITS = split('\\p{N}');
const DEEPSEEK_CODER = [split('[\\r\\n]'), split('\\s?\\p{L}+'), split('\\s?\\p{P}+'), split('[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+'), SINGLE_DIGITS];

const llama3: PreTokenizer = { splits: [LLAMA3, byteLevel(false)], ignoreMerges: true, addsBos: true, normalizer: null };
const dbrx: PreTokenizer = { ...llama3, ignoreMerges: false, addsBos: false };
const gpt2: PreTokenizer = { splits: [byteLevel(true)], ignoreMerges: false, addsBos: false, normalizer: null };
const smollm: PreTokenizer = { ...gpt2, splits: [SINGLE_DIGITS, byteLevel(true)] };
const qwen2: PreTokenizer = { splits: [QWEN2, byteLevel(false)], ignoreMerges: false, addsBos: false, normalizer: { type: 'NFC' } };
const tekken: PreTokenizer = { ...llama3, splits: [TEKKEN, byteLevel(false)] };
const deepseekCoder: PreTokenizer = { ...gpt2, splits: [...DEEPSEEK_CODER, byteLevel(false)] };

/** By name; expressions as in the tokenizer.json of the models that the names come from, defaults as in llama.cpp's llama-vocab.cpp. */
export const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map([
  ['command-r', smollm],
  ['dbrx', dbrx],
  ['deepseek-coder', deepseekCoder],
  ['deepseek-r1-qwen', qwen2],
  ['falcon3', llama3],
  ['gpt-2', gpt2],
  ['llama-bpe', llama3],
  ['llama-v3', llama3],
  ['llama3', llama3],
  ['phi-2', gpt2],
  ['qwen2', qwen2],
  ['refact', smollm],
  ['smaug-bpe', dbrx],
  ['smollm', smollm],
  ['starcoder', smollm],
  ['tekken', tekken],
]);

function split(expression: string): object {
  return { type: 'Split', pattern: { Regex: expression }, behavior: 'Isolated', invert: false };
}

/** @param splits whether the mapping of bytes also cuts words, by GPT-2's expression */
function byteLevel(splits: boolean): object {
  return { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: splits };
}
