/** The import of a real model, where its file is: models/smollm2/checkpoint/SmolLM2-135M-Instruct.Q4_1.gguf. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTokenizer } from '@tundish/tokenizer';
import type { Tokenizer } from '@tundish/tokenizer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { importGguf } from '../src/gguf/index.js';
import { openCheckpoint, readTensorBytes } from '../src/index.js';
import type { Checkpoint } from '../src/index.js';
import { repositoryPath } from './fixtures.js';

interface Vectors {
  readonly special: Record<string, [string, number]>;
  readonly strings: readonly { readonly text: string; readonly ids: number[]; readonly ids_with_special: number[]; readonly decode: string; readonly decode_skip_special: string }[];
  readonly chats: readonly { readonly messages: { role: string; content: string }[]; readonly add_generation_prompt: boolean; readonly text?: string; readonly ids?: number[]; readonly error?: string }[];
}

const FILE = repositoryPath('models/smollm2/checkpoint/SmolLM2-135M-Instruct.Q4_1.gguf');
const isThere = existsSync(FILE);
const read = (name: string): unknown => JSON.parse(readFileSync(repositoryPath(`test/fixtures/smollm2-135m/${name}.json`), 'utf8'));

describe.skipIf(!isThere)('SmolLM2-135M-Instruct', () => {
  const { tensors } = read('tensors') as { tensors: Record<string, string> };
  const vectors = read('tokenizer') as Vectors;
  const folder = mkdtempSync(join(tmpdir(), 'tundish-smollm2-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  let checkpoint: Checkpoint;
  let tokenizer: Tokenizer;

  beforeAll(async () => {
    await importGguf({ path: FILE, folder, dtype: 'float32' });
    checkpoint = await openCheckpoint(folder, { knownModelTypes: ['llama'] });
    tokenizer = await loadTokenizer(folder, { vocabSize: checkpoint.config.vocabSize });
  }, 60_000);

  test('every tensor has the bytes of the reference', async () => {
    expect([...checkpoint.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, tensor] of checkpoint.tensors) {
      const bytes = await readTensorBytes(join(folder, tensor.file), tensor);
      expect([name, createHash('sha256').update(bytes).digest('hex')]).toEqual([name, tensors[name]]);
    }
  });

  test('config', () => {
    expect(checkpoint.config).toMatchObject({
      hiddenSize: 576, intermediateSize: 1536, numHiddenLayers: 30, numAttentionHeads: 9, numKeyValueHeads: 3, headDim: 64, rmsNormEps: 1e-5,
      rope: { type: 'default', theta: 100_000 }, maxPositionEmbeddings: 8192, tieWordEmbeddings: true, vocabSize: 49_152, bosTokenId: 1, eosTokenIds: [2], padTokenId: 2,
    });
    expect(checkpoint.generationConfig.eosTokenIds).toEqual([2]);
  });

  test('strings', () => {
    for (const { text, ids, ids_with_special, decode, decode_skip_special } of vectors.strings) {
      expect([text, tokenizer.encode(text, { addSpecialTokens: false })]).toEqual([text, ids]);
      expect(tokenizer.encode(text)).toEqual(ids_with_special);
      expect(tokenizer.decode(ids)).toBe(decode);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decode_skip_special);
    }
  });

  test('chats', async () => {
    for (const { messages, add_generation_prompt: addGenerationPrompt, text, ids, error } of vectors.chats) {
      const rendered = tokenizer.renderChat(messages, { addGenerationPrompt });
      if (error !== undefined) {
        await expect(rendered).rejects.toThrow(error);
        continue;
      }
      expect(await rendered).toBe(text);
      if (ids !== undefined) expect(tokenizer.encode(await rendered, { addSpecialTokens: false })).toEqual(ids);
    }
  });

  test('roles', () => {
    for (const [content, id] of Object.values(vectors.special)) expect([tokenizer.tokenOf(id), tokenizer.specialTokenIds.has(id)]).toEqual([content, true]);
    expect([tokenizer.bosTokenId, tokenizer.eosTokenIds]).toEqual([vectors.special['bos_token']?.[1], [vectors.special['eos_token']?.[1]]]);
  });
});

test.runIf(!isThere)('SmolLM2-135M-Instruct is not imported here', ({ skip }) => skip(`${FILE} is not there`));
