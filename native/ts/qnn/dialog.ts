/** A dialog of the vendor's runtime for language models, as tundish-qnn.node offers it. Every call blocks. */

/** How a query ended. */
export interface QnnAnswer {
  /** 0, or what the library warns of: 1 aborted, 4 the context is full. */
  readonly status: number;
  /** What the last piece was of the answer: 3 its end, 4 an abort; -1 when no piece came. */
  readonly end: number;
}

export interface QnnDialog {
  /** Tokens behind what the dialog has seen so far; BOS is put in front of the first by the library. */
  generateTokens(prompt: Uint32Array, maxTokens: number): QnnAnswer & { readonly tokens: Uint32Array };
  /** The same as text; a character is given when all of its bytes are there. */
  generateText(prompt: string, maxTokens: number): QnnAnswer & { readonly text: string };
  encode(text: string): Int32Array;
  /** What the library measured, as JSON. */
  profile(): string;
  /** Forgets what was said. */
  reset(): void;
  /** Writes the state into a folder. */
  save(folder: string): void;
  restore(folder: string): void;
  /** @param json `{"stop-sequence": [...]}` */
  setStopSequence(json: string): void;
  /** Nothing can be called after it. */
  free(): void;
}
