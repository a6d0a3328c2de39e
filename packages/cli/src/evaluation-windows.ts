/** The windows of tokens that an evaluation of a model scores, and the protocol that names them. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { KERNEL_PROFILE, type Protocol, windowsOf } from '@tundish/evaluate';
import { MODEL_FILE, type ModelFacts, type Pipeline } from '@tundish/stages';
import { sha256 } from '@tundish/store';
import { loadTokenizer } from '@tundish/tokenizer';
import { cliError } from './errors.js';
import { readWindows } from './token-windows.js';

export interface WindowOptions {
  /** Safetensors file with a tensor `eval_windows` of token ids; the recipe's text when absent. */
  readonly windows?: string;
  /** Takes only the first windows. */
  readonly limit?: number;
}

/** @throws CLI_USAGE, CLI_EVALUATE_TEXT, CLI_PARITY_TENSOR, EVALUATE_TEXT_TOO_SHORT */
export async function evaluationWindows(options: WindowOptions, pipeline: Pipeline): Promise<{ windows: Int32Array[]; protocol: Protocol }> {
  const { bos } = (await factsOf(pipeline)).tokens;
  const pinned = pipeline.lock.source.files['tokenizer.json'];
  const base = { tokenizerSha256: pinned?.sha256 ?? '', bos: bos ?? 0, maskValue: 0, kernelProfile: KERNEL_PROFILE };
  const all = options.windows === undefined ? await textWindows(pipeline, bos) : await readWindows(options.windows);
  const windows = all.windows.slice(0, options.limit ?? all.windows.length);
  const windowLength = windows[0]?.length;
  if (windowLength === undefined) throw cliError('CLI_USAGE', { what: 'no window is left to score', fix: 'give --limit 1 or more, and a file with at least one window' });
  return { windows, protocol: { name: `windows-${windowLength}`, textSha256: all.sha256, windowLength, scored: { first: 1, last: windowLength - 1 }, ...base } };
}

async function factsOf(pipeline: Pipeline): Promise<ModelFacts> {
  const load = await pipeline.input({ stage: 'load', subject: null });
  return JSON.parse(await readFile(load.path(MODEL_FILE), 'utf8')) as ModelFacts;
}

async function textWindows(pipeline: Pipeline, bos: number | null): Promise<{ windows: Int32Array[]; sha256: string }> {
  const { text, windowLength } = pipeline.lock.evaluate;
  const path = text === null ? undefined : resolve(pipeline.layout.root, text);
  const bytes = path === undefined ? undefined : await readFile(path).catch(() => undefined);
  if (bytes === undefined) {
    throw cliError('CLI_EVALUATE_TEXT', {
      what: `${pipeline.layout.model} has no evaluation text`,
      ...(path === undefined ? {} : { evidence: { path } }),
      fix: 'name a UTF-8 text in the recipe (evaluate: { text: ./eval.txt }), or give --windows FILE',
    });
  }
  const folder = pipeline.lock.source.kind === 'folder' ? resolve(pipeline.layout.root, pipeline.lock.source.location) : pipeline.layout.container;
  const tokenizer = await loadTokenizer(folder);
  const ids = tokenizer.encode(bytes.toString('utf8'), { addSpecialTokens: false });
  return { windows: windowsOf(ids, bos ?? tokenizer.eosTokenIds[0] ?? 0, windowLength), sha256: sha256(bytes) };
}
