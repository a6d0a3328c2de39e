/** The token ids that a prompt stands for. */
import type { Container } from '@tundish/container';
import type { Tokenizer } from '@tundish/tokenizer';
import { runtimeError } from './errors.js';
import type { Prompt } from './generation.js';

/**
 * @param tokenizer of the container; undefined where it has none
 * @throws TundishError RUNTIME_TOKENIZER_MISSING, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED, CHAT_TEMPLATE_LIMIT
 */
export async function promptIds(container: Container, tokenizer: Tokenizer | undefined, prompt: Prompt): Promise<readonly number[]> {
  if (typeof prompt !== 'string' && 'ids' in prompt) return prompt.ids;
  if (tokenizer === undefined) {
    throw runtimeError('RUNTIME_TOKENIZER_MISSING', {
      what: 'the container has no tokenizer.json, so it cannot read text',
      evidence: { path: container.folder },
      fix: 'give token ids, or put the tokenizer.json of the model into the checkpoint folder and build again',
    });
  }
  if (typeof prompt === 'string') return tokenizer.encode(prompt);
  return tokenizer.encode(await tokenizer.renderChat(prompt.messages), { addSpecialTokens: false });
}
