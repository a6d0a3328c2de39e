/** What a conversation is made of, in the shape that chat templates expect. */

/** One turn; templates may read further fields (`name`, `tool_calls`), which are passed through. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

export interface RenderChatOptions {
  /** Whether the header of the assistant's turn is appended. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Tool descriptions as JSON schema, when the template knows tools. */
  readonly tools?: readonly unknown[];
}
