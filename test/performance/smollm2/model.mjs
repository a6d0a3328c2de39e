/** Where the model of models/smollm2 is, and its container built by the recipe. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, succeed } from '../processes.mjs';

export const GGUF = join(ROOT, 'models/smollm2/checkpoint/SmolLM2-135M-Instruct.Q4_1.gguf');
export const CONTAINER = join(ROOT, 'models/smollm2/artifacts/container');
export const EVALUATION_TEXT = join(ROOT, 'models/llama32/checkpoint/eval.txt');

export function requireGguf() {
  if (!existsSync(GGUF)) throw new Error(`${GGUF} is not there; fetch it: node tools/fetch-smollm2.mjs`);
}

/** Builds what is missing, with the caches of this repository. */
export async function built() {
  requireGguf();
  await succeed('npx', ['nx', 'run', 'smollm2:compile']);
}
