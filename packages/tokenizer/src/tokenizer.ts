/** The tokenizer of a checkpoint or container: text to ids and back. */
import type { ChatMessage, RenderChatOptions } from './chat.js';
import type { StreamDecoder } from './stream-decoder.js';

export interface LoadTokenizerOptions {
  /** Rows of the embedding; ids at or above it are refused. */
  readonly vocabSize?: number;
  /** Ids that end generation, from generation_config.json or config.json; the tokenizer's own eos when absent. */
  readonly eosTokenIds?: readonly number[];
}

export interface EncodeOptions {
  /** Whether the post-processor adds its tokens (bos in most models). Default true, as in transformers. */
  readonly addSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Whether special tokens are left out of the text. Default false. */
  readonly skipSpecialTokens?: boolean;
}

export interface Tokenizer {
  /** One more than the largest id. */
  readonly size: number;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  readonly specialTokenIds: ReadonlySet<number>;
  readonly hasChatTemplate: boolean;
  /** Special tokens spelled out in the text are read as special tokens, as the reference does. */
  encode(text: string, options?: EncodeOptions): number[];
  /**
   * Exactly what a stream decoder gives for these ids. Spaces before punctuation stay, whatever
   * `clean_up_tokenization_spaces` says: a stream cannot take them back.
   */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** The token as the vocabulary spells it. */
  tokenOf(id: number): string | undefined;
  streamDecoder(options?: DecodeOptions): StreamDecoder;
  /** The prompt text of a conversation; encode it with `addSpecialTokens: false`, since templates write bos themselves. */
  renderChat(messages: readonly ChatMessage[], options?: RenderChatOptions): Promise<string>;
}
