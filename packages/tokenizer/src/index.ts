/** Tokenizer and chat template of a checkpoint or container, with streaming decode. */
import type { LoadTokenizerOptions, Tokenizer } from './tokenizer.js';
export type { ChatMessage, RenderChatOptions } from './chat.js';
export type { StreamDecoder } from './stream-decoder.js';
export type { DecodeOptions, EncodeOptions, LoadTokenizerOptions, Tokenizer } from './tokenizer.js';
export declare function loadTokenizer(folder: string, options?: LoadTokenizerOptions): Promise<Tokenizer>;
