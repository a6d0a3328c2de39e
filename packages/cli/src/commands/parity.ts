/** parity: the load graph of a checkpoint against reference results, value by value. */
import { architectures } from '@tundish/architectures';
import { openCheckpoint } from '@tundish/checkpoint';
import type { Reporter } from '@tundish/diagnostics';
import { argmax } from '@tundish/evaluate';
import { DataType, type Model } from '@tundish/graph';
import { causalMask } from '@tundish/quantize';
import { adaptCheckpoint, modelFacts, ropeTables } from '@tundish/stages';
import type { OpenedModel, TensorData } from '@tundish/toolchain';
import { hostReference } from '@tundish/toolchain-host';
import { convertArCl } from '@tundish/transform';
import { join } from 'node:path';
import { type Golden, openGolden } from '../golden.js';
import { type Io, ioReporter } from '../io.js';

export interface ParityOptions {
  readonly checkpoint: string;
  readonly golden: string;
  readonly tolerance: number;
  readonly threads: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Maximal absolute error of one kind of value. */
export interface ParityRow {
  readonly what: string;
  readonly error: number;
  /** What is accepted: the tolerance, or ROUNDING_ULPS units in the last place of the largest reference value if that is more. */
  readonly allowed: number;
}

/**
 * Two float32 evaluations of one function differ by a few units in the last place of its largest intermediate value: an
 * outlier of 174 in a residual stream is known to 1.5e-5 at best, before any sum.
 */
const ROUNDING_ULPS = 8;
const EPSILON = 2 ** -23;

export interface ParityReport {
  readonly checkpoint: string;
  readonly tokens: number;
  readonly tolerance: number;
  readonly rows: readonly ParityRow[];
  /** Tokens of the greedy continuation that agree, and how many the reference has. */
  readonly greedy: { readonly equal: number; readonly of: number };
  readonly ok: boolean;
}

/** @returns exit code: 0 when every error is within the tolerance and the continuation is equal, else 1 */
export async function parityCommand(options: ParityOptions, io: Io): Promise<number> {
  const report = await measureParity(options, io);
  if (options.json) io.out(`${JSON.stringify(report, null, 2)}\n`);
  else io.out(describe(report));
  return report.ok ? 0 : 1;
}

/** Runs the graph once over the reference's tokens and once per token of its continuation. */
export async function measureParity(options: ParityOptions, io: Io): Promise<ParityReport> {
  const reporter = ioReporter(io);
  return measureWith(options, reporter).finally(() => reporter.close());
}

async function measureWith(options: ParityOptions, reporter: Reporter): Promise<ParityReport> {
  const checkpoint = await openCheckpoint(options.checkpoint, { knownModelTypes: [...architectures.keys()], reporter, signal: options.signal });
  const golden = await openGolden(options.golden);
  const ids = golden.integers('input_ids');
  const continuation = golden.has('greedy_ids') ? golden.integers('greedy_ids') : [];
  const { model, adaptation } = adaptCheckpoint(checkpoint, { reporter });
  const tokens = ids.length + continuation.length;
  const sized = convertArCl(model, adaptation.base, { ar: tokens, cl: tokens + 1 });
  const blocks = adaptation.layers.map(({ hiddenOut }) => hiddenOut);
  exposeOutputs(sized, blocks);
  const opened = await hostReference().open({ model: sized, resolve: (location) => join(options.checkpoint, location), threads: options.threads });
  try {
    const feeds = feedsFor(sized, ropeTables(modelFacts(checkpoint).rope, 0, tokens));
    const report = (done: number): void => reporter.progress({ work: 'parity', label: 'passes', done, total: continuation.length + 1 });
    report(0);
    const results = await runTokens(opened, feeds, ids, tokens);
    const rows = compare(golden, results, blocks, { tokens: ids.length, padded: tokens, tolerance: options.tolerance, ...adaptation.dims });
    const greedy = { equal: await agreeing(opened, feeds, { prompt: ids, continuation, length: tokens, vocab: adaptation.dims.vocab, onPass: (done) => report(1 + done) }), of: continuation.length };
    const ok = rows.every(({ error, allowed }) => error <= allowed) && greedy.equal === greedy.of;
    return { checkpoint: options.checkpoint, tokens: ids.length, tolerance: options.tolerance, rows, greedy, ok };
  } finally {
    await opened.close();
  }
}

function exposeOutputs({ graph }: Model, names: readonly string[]): void {
  for (const name of names) graph.outputs.push(graph.value(name));
}

/** Inputs that do not depend on the tokens: rope tables, the causal mask, an empty cache behind it. */
function feedsFor(model: Model, rope: { readonly cos: Float32Array; readonly sin: Float32Array }): Map<string, TensorData> {
  const feeds = new Map<string, TensorData>();
  for (const { name, shape, dtype } of model.graph.inputs) {
    if (dtype === DataType.FLOAT) feeds.set(name, new Float32Array((shape ?? []).reduce<number>((count, dim) => count * Number(dim), 1)));
  }
  const ar = Number(model.graph.value('attention_mask').shape?.[2]);
  return feeds.set('attention_mask', causalMask(ar)).set('position_ids_cos', rope.cos).set('position_ids_sin', rope.sin);
}

/** Rows behind the last token are padding: causal attention keeps them out of every earlier row. */
function runTokens(opened: OpenedModel, feeds: ReadonlyMap<string, TensorData>, ids: readonly number[], length: number, outputs?: readonly string[]): Promise<Map<string, TensorData>> {
  const padded = new Int32Array(length);
  padded.set(ids);
  return opened.run(new Map([...feeds, ['input_ids', padded]]), outputs);
}

interface Dims {
  readonly hidden: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
}

/** How many rows the reference has, how many the graph ran with, and what is accepted. */
interface Comparison extends Dims {
  readonly tokens: number;
  readonly padded: number;
  readonly tolerance: number;
}

function compare(golden: Golden, results: ReadonlyMap<string, TensorData>, blocks: readonly string[], at: Comparison): ParityRow[] {
  const { tokens, hidden: width } = at;
  const get = (name: string): TensorData => results.get(name) ?? new Float32Array();
  const row = (what: string, reference: Float32Array, found: TensorData): ParityRow => ({
    what, error: maxError(reference, found), allowed: Math.max(at.tolerance, ROUNDING_ULPS * EPSILON * largest(reference)),
  });
  const hidden = golden.floats('hidden_states', blocks.length * tokens * width);
  const size = at.kvHeads * tokens * at.headDim;
  return [
    row('logits', golden.floats('logits', tokens * at.vocab), get('logits')),
    ...blocks.map((name, i) => row(`hidden states of block ${i}`, hidden.subarray(i * tokens * width, (i + 1) * tokens * width), get(name))),
    ...blocks.flatMap((_, i) => [
      row(`keys of block ${i}`, golden.floats(`past_key_${i}`, size), rowsOfKeys(get(`past_key_${i}_out`), at)),
      row(`values of block ${i}`, golden.floats(`past_value_${i}`, size), rowsOfValues(get(`past_value_${i}_out`), at)),
    ]),
  ];
}

/** Keys leave the graph as [g,1,D,T']; the reference has [g,T,D]. */
function rowsOfKeys(keys: TensorData, { tokens, padded, kvHeads, headDim }: Comparison): Float32Array {
  const rows = new Float32Array(kvHeads * tokens * headDim);
  for (let g = 0; g < kvHeads; g++) for (let t = 0; t < tokens; t++) for (let d = 0; d < headDim; d++) rows[(g * tokens + t) * headDim + d] = keys[(g * headDim + d) * padded + t] ?? NaN;
  return rows;
}

/** Values leave the graph as [g,1,T',D]. */
function rowsOfValues(values: TensorData, { tokens, padded, kvHeads, headDim }: Comparison): Float32Array {
  const rows = new Float32Array(kvHeads * tokens * headDim);
  for (let g = 0; g < kvHeads; g++) rows.set((values as Float32Array).subarray(g * padded * headDim, g * padded * headDim + tokens * headDim), g * tokens * headDim);
  return rows;
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** Compares as many elements as the reference has; NaN anywhere is an infinite error. */
function maxError(reference: Float32Array, found: TensorData): number {
  let worst = 0;
  for (let i = 0; i < reference.length; i++) {
    const error = Math.abs((reference[i] as number) - (found[i] ?? NaN));
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
  }
  return worst;
}

interface Continuation {
  readonly prompt: readonly number[];
  readonly continuation: readonly number[];
  readonly length: number;
  readonly vocab: number;
  readonly onPass: (done: number) => void;
}

/** How many tokens of the greedy continuation agree before the first that does not. */
async function agreeing(opened: OpenedModel, feeds: ReadonlyMap<string, TensorData>, { prompt, continuation, length, vocab, onPass }: Continuation): Promise<number> {
  const ids = [...prompt];
  for (const [step, expected] of continuation.entries()) {
    onPass(step);
    const logits = (await runTokens(opened, feeds, ids, length, ['logits'])).get('logits') as Float32Array;
    if (argmax(logits.subarray((ids.length - 1) * vocab, ids.length * vocab)) !== expected) return step;
    ids.push(expected);
  }
  return continuation.length;
}

function describe(report: ParityReport): string {
  const width = Math.max(...report.rows.map(({ what }) => what.length));
  const lines = report.rows.map(({ what, error, allowed }) => {
    const remark = error > allowed ? '  above the tolerance' : error > report.tolerance ? `  within ${ROUNDING_ULPS} float32 steps of the largest value` : '';
    return `${what.padEnd(width)}  ${error.toExponential(2)}${remark}`;
  });
  const verdict = report.ok ? 'parity holds' : 'parity does not hold';
  return `${report.tokens} tokens, maximal absolute error, tolerance ${report.tolerance}\n${lines.join('\n')}\ngreedy continuation: ${report.greedy.equal} of ${report.greedy.of} tokens equal\n${verdict}\n`;
}
