/** What every evaluation needs to know of the model and its tokenizer. */
import { readFile } from 'node:fs/promises';
import { KERNEL_PROFILE } from '@tundish/evaluate';
import { FLOAT_MASK } from '@tundish/quantize';
import { MODEL_FILE, type ModelFacts, type Pipeline } from '@tundish/stages';
import { canonicalJson, sha256 } from '@tundish/store';
import { type Tokenizer, loadTokenizer } from '@tundish/tokenizer';

/** The tokenizer of the checkpoint. */
export async function modelTokenizer(pipeline: Pipeline): Promise<Tokenizer> {
  return loadTokenizer(await pipeline.checkpoint());
}

export async function modelFactsOf(pipeline: Pipeline): Promise<ModelFacts> {
  const load = await pipeline.input({ stage: 'load', subject: null });
  return JSON.parse(await readFile(load.path(MODEL_FILE), 'utf8')) as ModelFacts;
}

/** The fields that protocols of every kind have in common. */
export function commonFields({ lock }: Pipeline): { readonly tokenizerSha256: string; readonly teacherSha256: string; readonly maskValue: number; readonly kernelProfile: string } {
  const { files } = lock.source;
  const weights = Object.entries(files).filter(([name]) => name === 'config.json' || name.endsWith('.safetensors'));
  return {
    tokenizerSha256: files['tokenizer.json']?.sha256 ?? '',
    teacherSha256: sha256(Buffer.from(canonicalJson(Object.fromEntries(weights.map(([name, pin]) => [name, pin.sha256]))))),
    maskValue: FLOAT_MASK,
    kernelProfile: KERNEL_PROFILE,
  };
}
