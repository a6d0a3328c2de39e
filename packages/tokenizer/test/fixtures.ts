/** Paths of the fixtures inside the repository, and the vectors made by the reference tokenizer. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface StringVector {
  readonly text: string;
  readonly ids: number[];
  readonly ids_with_special: number[];
  readonly tokens: string[];
  readonly decode: string;
  readonly decode_with_special: string;
  readonly decode_skip_special: string;
  readonly incremental: string[];
}

export interface ChatVector {
  readonly about: string;
  readonly messages: { role: string; content: string }[];
  readonly add_generation_prompt: boolean;
  readonly text?: string;
  readonly ids?: number[];
  readonly error?: string;
}

export interface Vectors {
  readonly vocab_size: number;
  readonly special: Record<string, [string, number]>;
  readonly strings: StringVector[];
  readonly chats: ChatVector[];
}

export function repositoryPath(relative: string): string {
  return fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
}

export const MINI_LLAMA = repositoryPath('models/llama32/checkpoint');

/** The vectors of `bpe-llama3` were made with the tokenizer of mini-llama. */
export const TOKENIZERS: readonly { readonly name: string; readonly folder: string }[] = [
  { name: 'bpe-llama3', folder: MINI_LLAMA },
  { name: 'bpe-metaspace', folder: repositoryPath('test/fixtures/tokenizers/bpe-metaspace') },
  { name: 'unigram-metaspace', folder: repositoryPath('test/fixtures/tokenizers/unigram-metaspace') },
];

export function vectorsOf(name: string): Vectors {
  return JSON.parse(readFileSync(repositoryPath(`test/fixtures/tokenizers/${name}.json`), 'utf8')) as Vectors;
}
