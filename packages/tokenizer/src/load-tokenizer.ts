/** Loads the tokenizer of a folder and holds it against the vocabulary of the model. */
import { join, resolve } from 'node:path';
import { namedTokens, readChatTemplate } from './chat.js';
import type { ChatMessage, ChatTemplate, RenderChatOptions } from './chat.js';
import { ChatRenderer } from './chat-renderer.js';
import { createEncoder } from './encoder.js';
import { fault } from './errors.js';
import { createStreamDecoder } from './stream-decoder.js';
import { compileTokenText } from './token-text.js';
import type { DecodeOptions, LoadTokenizerOptions, Tokenizer } from './tokenizer.js';
import { readTokenizerFile } from './tokenizer-file.js';
import type { TokenizerFile } from './tokenizer-file.js';

const NOTHING: ReadonlySet<number> = new Set();

/**
 * Reads tokenizer.json, tokenizer_config.json and chat_template.jinja of a checkpoint or container.
 *
 * @throws TundishError TOKENIZER_*
 */
export async function loadTokenizer(folder: string, options: LoadTokenizerOptions = {}): Promise<Tokenizer> {
  const root = resolve(folder);
  const path = join(root, 'tokenizer.json');
  const file = await readTokenizerFile(root);
  const tokens = tokensById(file);
  if (options.vocabSize !== undefined) refuseIdsBeyond(options.vocabSize, tokens, options.eosTokenIds ?? [], path);
  const names = namedTokens(file.config);
  const idOf = new Map([...file.vocabulary, ...file.addedTokens.map(({ content, id }) => [content, id] as const)]);
  const eos = idOf.get(names['eos_token'] ?? '');
  const special = new Set(file.addedTokens.filter((token) => token.special).map((token) => token.id));
  const tokenOf = (id: number): string | undefined => tokens[id];
  const text = compileTokenText(file.json['decoder'], path);
  const encode = createEncoder(file, tokens, path);
  const template = await readChatTemplate(root, file.config);
  const streamDecoder = ({ skipSpecialTokens = false }: DecodeOptions = {}) => createStreamDecoder(tokenOf, text, skipSpecialTokens ? special : NOTHING);
  return {
    size: tokens.length,
    bosTokenId: idOf.get(names['bos_token'] ?? '') ?? null,
    eosTokenIds: options.eosTokenIds ?? (eos === undefined ? [] : [eos]),
    specialTokenIds: special,
    hasChatTemplate: template !== undefined,
    encode: (input, { addSpecialTokens = true } = {}) => encode(input, addSpecialTokens),
    decode(ids, decodeOptions) {
      const decoder = streamDecoder(decodeOptions);
      return ids.map((id) => decoder.push(id)).join('') + decoder.flush();
    },
    tokenOf,
    streamDecoder,
    renderChat: chatRendering(root, template, names),
  };
}

function chatRendering(folder: string, template: ChatTemplate | undefined, names: Readonly<Record<string, string>>): Tokenizer['renderChat'] {
  const renderer = template === undefined ? undefined : new ChatRenderer(template.source, template.path);
  return async (messages: readonly ChatMessage[], options: RenderChatOptions = {}) => {
    if (renderer === undefined) {
      throw fault('CHAT_TEMPLATE_MISSING', {
        what: `the tokenizer in ${folder} has no chat template`,
        evidence: { path: folder },
        fix: 'Add a chat_template.jinja, or give a plain prompt.',
      });
    }
    const tools = options.tools === undefined ? {} : { tools: options.tools };
    return renderer.render({ ...names, messages, ...tools, add_generation_prompt: options.addGenerationPrompt ?? true });
  };
}

function tokensById(file: TokenizerFile): (string | undefined)[] {
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of file.vocabulary) tokens[id] = token;
  for (const { content, id } of file.addedTokens) tokens[id] = content;
  return tokens;
}

function refuseIdsBeyond(vocabSize: number, tokens: readonly (string | undefined)[], eosTokenIds: readonly number[], path: string): void {
  const beyond = tokens.flatMap((token, id) => (token !== undefined && id >= vocabSize ? [id] : []));
  if (beyond.length > 0) {
    const shown = beyond.length > 8 ? `${beyond.slice(0, 8).join(', ')} and ${beyond.length - 8} more` : beyond.join(', ');
    throw fault('TOKENIZER_BEYOND_VOCABULARY', {
      what: `token ids ${shown} exceed vocab_size ${vocabSize}`,
      why: 'The embedding has no such row.',
      evidence: { path },
      fix: 'The tokenizer and the weights are not of the same model: take both from the same revision.',
    });
  }
  const eos = eosTokenIds.find((id) => id >= vocabSize);
  if (eos === undefined) return;
  throw fault('TOKENIZER_BEYOND_VOCABULARY', {
    what: `eos_token_id ${eos} exceeds vocab_size ${vocabSize}: generation would never stop`,
    evidence: { path },
    fix: 'Correct eos_token_id in config.json or generation_config.json.',
  });
}
