/** Tokenizer and chat template of a checkpoint or container, with streaming decode. */
export { loadTokenizer } from './load-tokenizer.js';
export type { ChatMessage, RenderChatOptions } from './chat.js';
export { encodeCorpus } from './corpus.js';
export type { Corpus, CorpusFormat } from './corpus.js';
export type { StreamDecoder } from './stream-decoder.js';
export type { DecodeOptions, EncodeOptions, LoadTokenizerOptions, Tokenizer } from './tokenizer.js';
