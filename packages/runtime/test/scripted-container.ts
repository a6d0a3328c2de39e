/** A container on disk whose model recites a script, with the tokenizer and the chat template of the bundled checkpoint. */
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeContainerManifest } from '@tundish/container';
import type { ManifestFacts } from '@tundish/container';
import { ARS, CONTEXT_LENGTHS, scriptedGraphs } from './scripted-toolchain.js';
import type { Script } from './scripted-toolchain.js';

export const CHECKPOINT = fileURLToPath(new URL('../../../models/llama32/checkpoint/', import.meta.url));
const VOCABULARY = 4096;
export const EOS = 4092;

const FACTS: ManifestFacts = {
  model: 'scripted',
  toolchain: { name: 'scripted', version: '1', machine: '', operators: '' },
  architecture: { modelType: 'llama', hiddenSize: 2, layers: 1, heads: 1, kvHeads: 1, headDim: 2, feedForwardSize: 2 },
  vocabularySize: VOCABULARY,
  contextLengths: CONTEXT_LENGTHS,
  ars: ARS,
  parts: [{ part: 1, files: [{ name: 'weights.data', path: 'weights.data' }], graphs: scriptedGraphs(VOCABULARY) }],
  rope: { inverseFrequencies: [1], attentionScaling: 1 },
  maskValue: -100,
  tokens: { bos: 4091, eos: [EOS, 4095], pad: null },
  generation: { maxTokens: 256, temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1 },
  provenance: {},
};

/** Writes it into a temporary folder, which the caller removes. */
export async function scriptedContainer(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tundish-session-'));
  for (const file of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'chat_template.jinja', 'config.json', 'generation_config.json']) cpSync(join(CHECKPOINT, file), join(folder, file));
  writeFileSync(join(folder, 'weights.data'), 'w');
  await writeContainerManifest(folder, FACTS);
  return folder;
}

export function emptyScript(): Script {
  return { vocabularySize: VOCABULARY, ids: [], passes: [], seen: [], closed: 0, failOpen: false };
}
