/** Turns ids that arrive one by one into text that never has to be taken back. */

export interface StreamDecoder {
  /** @returns the text that became certain with this id; often empty, never half a character */
  push(id: number): string;
  /** @returns what was held back; incomplete bytes become U+FFFD as in a plain decode */
  flush(): string;
}
