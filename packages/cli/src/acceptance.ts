/** What is compared where nobody says: a prompt that every tokenizer has, and as many tokens as an emulator gives in a minute. */
export const ACCEPTANCE = { prompts: ['Once upon a time'], maxTokens: 16 } as const;
