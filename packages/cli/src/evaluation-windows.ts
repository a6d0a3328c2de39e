/** The windows of tokens that an evaluation of a model scores, and the protocol that names them. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readTokenWindows } from '@tundish/checkpoint';
import { PROTOCOLS, type Protocol, type ProtocolName, type WindowShape, miniShape, windowsOf } from '@tundish/evaluate';
import type { ModelFacts, Pipeline } from '@tundish/stages';
import { sha256 } from '@tundish/store';
import { encodeCorpus } from '@tundish/tokenizer';
import { cliError } from './errors.js';
import { commonFields, modelFactsOf, modelTokenizer } from './model-text.js';

export interface WindowOptions {
  /** How the text is cut, scored and averaged; else what the recipe says. */
  readonly protocol?: string;
  /** Safetensors file with a tensor `eval_windows` of token ids; the recipe's text when absent. */
  readonly windows?: string;
  /** Takes only the first windows. */
  readonly limit?: number;
}

type Cut = Pick<Protocol, 'textSha256' | 'textFormat' | 'join' | 'bos'> & { readonly windows: Int32Array[]; readonly shape: WindowShape };

/** @throws CLI_USAGE, CLI_EVALUATE_TEXT, CLI_EVALUATE_CONTEXT, CHECKPOINT_TOKEN_WINDOWS, CORPUS_*, EVALUATE_TEXT_TOO_SHORT */
export async function evaluationWindows(options: WindowOptions, pipeline: Pipeline): Promise<{ windows: Int32Array[]; protocol: Protocol }> {
  if (options.protocol !== undefined && options.windows !== undefined) throw cliError('CLI_USAGE', { what: 'a file of windows has its tokens cut already', fix: 'give --protocol or --windows, not both' });
  const facts = await modelFactsOf(pipeline);
  const { windows: all, shape, ...text } = options.windows === undefined ? await textWindows(options, pipeline, facts) : await givenWindows(options.windows);
  const windows = all.slice(0, options.limit ?? all.length);
  const longest = windows[0]?.length;
  if (longest === undefined) throw cliError('CLI_USAGE', { what: 'no window is left to score', fix: 'give --limit 1 or more, and a file with at least one window' });
  if (longest > facts.maxPositionEmbeddings) throw contextError(longest, `the model was trained on ${facts.maxPositionEmbeddings} positions`, 'choose a protocol with shorter windows');
  return { windows, protocol: { name: nameOf(shape), ...text, ...shape, windows: windows.length, ...commonFields(pipeline) } };
}

/** The container must hold a whole window. @throws CLI_EVALUATE_CONTEXT */
export function requireContext({ lock }: Pipeline, windows: readonly Int32Array[]): void {
  const longest = Math.max(...windows.map(({ length }) => length));
  const largest = Math.max(...Object.values(lock.cells).map(({ cl }) => cl));
  if (longest > largest) throw contextError(longest, `the container's largest context has ${largest}`, `build with graphs.cl up to ${longest}, or choose a protocol with shorter windows`);
}

function contextError(windowLength: number, why: string, fix: string): Error {
  return cliError('CLI_EVALUATE_CONTEXT', { what: `windows of ${windowLength} tokens do not fit`, why, fix });
}

/** A protocol of the table by its name; `mini` with windows of another length has the length in its name. */
function nameOf(shape: WindowShape): string {
  return Object.entries(PROTOCOLS).find(([, named]) => named === shape)?.[0] ?? `mini-${shape.windowLength}`;
}

function shapeOf(protocol: string | undefined, { evaluate }: Pipeline['lock']): WindowShape {
  const name = protocol ?? ('protocol' in evaluate ? evaluate.protocol : 'mini');
  if (!Object.hasOwn(PROTOCOLS, name)) throw cliError('CLI_USAGE', { what: `there is no protocol ${name}`, fix: `name one of ${Object.keys(PROTOCOLS).join(', ')}` });
  return name === 'mini' && 'windowLength' in evaluate ? miniOf(evaluate.windowLength) : PROTOCOLS[name as ProtocolName];
}

function miniOf(windowLength: number): WindowShape {
  return windowLength === PROTOCOLS.mini.windowLength ? PROTOCOLS.mini : miniShape(windowLength);
}

async function givenWindows(path: string): Promise<Cut> {
  const { windows, bytes } = await readTokenWindows(path, 'eval_windows');
  const textSha256 = sha256(bytes);
  return { windows: [...windows], shape: miniOf(windows[0]?.length ?? 0), textSha256, textFormat: 'tokens', join: null, bos: null };
}

async function textWindows(options: WindowOptions, pipeline: Pipeline, { tokens }: ModelFacts): Promise<Cut> {
  const { text, format = 'text' } = pipeline.lock.evaluate;
  const shape = shapeOf(options.protocol, pipeline.lock);
  const path = text === null ? undefined : resolve(pipeline.layout.root, text);
  const bytes = path === undefined ? undefined : await readFile(path).catch(() => undefined);
  if (path === undefined || bytes === undefined) {
    throw cliError('CLI_EVALUATE_TEXT', {
      what: `${pipeline.layout.model} has no evaluation text`,
      ...(path === undefined ? {} : { evidence: { path } }),
      fix: 'name a UTF-8 text in the recipe (evaluate: { text: ./eval.txt }), or give --windows FILE',
    });
  }
  if (format === 'tokens') return givenWindows(path);
  const tokenizer = await modelTokenizer(pipeline);
  const ids = await encodeCorpus(tokenizer, { format, path, bytes }, tokens.bos);
  // What the tokenizer puts in front of a text, where the protocol leaves that to it; else whatever a window can begin with.
  const start = tokenizer.encode('')[0] ?? null;
  const bos = shape.bosPolicy === 'window' ? (tokens.bos ?? tokenizer.eosTokenIds[0] ?? 0) : start === tokens.bos ? start : null;
  return { windows: windowsOf(ids, shape, bos), shape, textSha256: sha256(bytes), textFormat: format, join: format === 'text' ? null : tokens.bos, bos };
}
