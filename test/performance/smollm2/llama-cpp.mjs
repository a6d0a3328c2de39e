/** Decode and prefill beside node-llama-cpp on the same GGUF file, 2 threads, processes in turn. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadTokenizer } from '@tundish/tokenizer';
import { ROOT, measured, median, succeed } from '../processes.mjs';
import { CONTAINER, EVALUATION_TEXT, GGUF, built } from './model.mjs';

const PEERS = join(ROOT, 'test/performance/peers');
const PROMPT_TOKENS = 512;
const GENERATED_TOKENS = 64;
const ROUNDS = 3;

export async function againstLlamaCpp(record) {
  await built();
  if (!existsSync(join(PEERS, 'node_modules/node-llama-cpp'))) await succeed('npm', ['ci', '--omit=optional', '--ignore-scripts', '--prefix', PEERS]);
  const ids = await promptFile();
  const engines = {
    tundish: () => measured('generate.mjs', [CONTAINER, ids, GENERATED_TOKENS, 1].map(String)),
    'node-llama-cpp': () => measured('peers/generate.mjs', [GGUF, ids, String(GENERATED_TOKENS)]),
  };
  const runs = { tundish: [], 'node-llama-cpp': [] };
  for (let round = 0; round < ROUNDS; round++) for (const [name, run] of Object.entries(engines)) runs[name].push(await run());
  for (const what of ['decode', 'prefill']) {
    const [ours, theirs] = Object.keys(engines).map((name) => median(runs[name].flatMap((run) => run[what])));
    record(`${what}: tundish`, ours, 'tokens/s');
    record(`${what}: node-llama-cpp`, theirs, 'tokens/s');
    record(`${what}: ratio`, ours / theirs, 'x', ['>=', 0.8]);
  }
}

/** The same token ids for both engines: the beginning of the text that quality is measured on. */
async function promptFile() {
  const { vocabularySize, tokens } = JSON.parse(readFileSync(join(CONTAINER, 'manifest.json'), 'utf8'));
  const tokenizer = await loadTokenizer(CONTAINER, { vocabSize: vocabularySize, eosTokenIds: tokens.eos });
  const path = join(ROOT, 'test-output/smollm2-prompt.json');
  mkdirSync(join(ROOT, 'test-output'), { recursive: true });
  writeFileSync(path, JSON.stringify(tokenizer.encode(readFileSync(EVALUATION_TEXT, 'utf8').slice(0, 8 * PROMPT_TOKENS)).slice(0, PROMPT_TOKENS)));
  return path;
}
