/** Tokenizer and chat template of a checkpoint or container, with streaming decode. */
export {};
