/** Follows a generation to its end: the ids and the text of it, printed as they come. */
import type { GeneratedToken } from '@tundish/runtime';
import type { Io } from './io.js';

/** @param io receives each piece of text; absent when only the whole is wanted */
export async function collectTokens(generation: AsyncIterable<GeneratedToken>, io: Io | undefined): Promise<{ readonly ids: readonly number[]; readonly text: string }> {
  const ids: number[] = [];
  let text = '';
  for await (const token of generation) {
    if (token.id !== null) ids.push(token.id);
    text += token.text;
    io?.out(token.text);
  }
  return { ids, text };
}
