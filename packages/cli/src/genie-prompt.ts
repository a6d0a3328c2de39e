/** A prompt as the vendor's runtime takes it: that puts BOS in front of whatever it is given. */
import { type Container, readContainer } from '@tundish/container';
import { type Prompt, containerTokenizer, promptIds } from '@tundish/runtime';
import type { Tokenizer } from '@tundish/tokenizer';
import { cliError } from './errors.js';

export interface GeniePrompt {
  /** What Genie computes: BOS and the ids below. */
  readonly ids: readonly number[];
  /** What Genie is given. */
  readonly given: readonly number[];
  /** Tokens that an answer can have at most. */
  readonly room: number;
}

/** A container as far as a prompt needs it. */
export interface PromptReader {
  readonly container: Container;
  readonly tokenizer: Tokenizer | undefined;
}

export async function promptReader(folder: string): Promise<PromptReader> {
  const container = await readContainer(folder);
  return { container, tokenizer: await containerTokenizer(container) };
}

/** @throws CLI_USAGE for a prompt of nothing but BOS, and what `promptIds` throws */
export async function geniePrompt({ container, tokenizer }: PromptReader, prompt: Prompt): Promise<GeniePrompt> {
  const ids = await promptIds(container, tokenizer, prompt);
  // A bundle without BOS is refused by its lint.
  const bos = container.manifest.tokens.bos as number;
  const given = ids[0] === bos ? ids.slice(1) : ids;
  if (given.length === 0) throw cliError('CLI_USAGE', { what: 'the prompt is empty', fix: 'give some text: --prompt "And God said"' });
  const { ars, contextLengths } = container.manifest;
  const longest = Math.max(...contextLengths);
  // Genie ends its process over a longer prompt, and over an answer that leaves the context.
  const most = longest - Math.max(...ars) + 1;
  if (given.length + 1 > most) throw cliError('CLI_USAGE', { what: `the prompt has ${given.length + 1} tokens, the vendor's runtime takes ${most}`, why: `its largest context has ${longest} positions, ${Math.max(...ars)} of which are the block in work`, fix: 'shorten it, or run --on emulator' });
  return { ids: [bos, ...given], given, room: longest - given.length - 2 };
}
