/** Turns ids that arrive one by one into text that never has to be taken back. */
import type { TokenText } from './token-text.js';

export interface StreamDecoder {
  /** @returns the text that became certain with this id; often empty, never half a character */
  push(id: number): string;
  /** @returns what was held back: incomplete bytes as U+FFFD */
  flush(): string;
}

/**
 * @param tokenOf undefined for ids without a token (padding rows of an embedding), which have no text
 * @param skipped ids that have no text here
 */
export function createStreamDecoder(tokenOf: (id: number) => string | undefined, text: TokenText, skipped: ReadonlySet<number>): StreamDecoder {
  // A byte order mark is a character of the text like any other.
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  let isFirst = true;
  let spacesToDrop = text.leadingSpaces;
  const emit = (characters: string): string => {
    let start = 0;
    while (spacesToDrop > 0 && characters[start] === ' ') {
      start += 1;
      spacesToDrop -= 1;
    }
    if (characters.length > start) spacesToDrop = 0;
    return characters.slice(start);
  };
  return {
    push(id) {
      const token = skipped.has(id) ? undefined : tokenOf(id);
      if (token === undefined) return '';
      const bytes = text.bytes(token, isFirst);
      isFirst = false;
      return emit(utf8.decode(bytes, { stream: true }));
    },
    flush: () => emit(utf8.decode()),
  };
}
