/** Recipes over one checkpoint side by side: what each loses, and what it costs. */
import { formatBytes, formatSeconds } from '@tundish/diagnostics';
import { type Column, tableOf } from './columns.js';
import type { EvaluationResult } from './evaluate.js';
import { percent, smallNumber, withError } from './figures.js';
import { requireSameProtocol } from './same-protocol.js';

/** The result of one recipe, which is its subject. */
export interface RecipeResult extends EvaluationResult {
  /** Of the weight files of the graph that was measured. */
  readonly bytes: number;
  /** That quantizing took when it ran. */
  readonly seconds: number;
  /** Largest resident memory of the process that quantized, bytes. */
  readonly peakRssBytes: number;
}

const COLUMNS: readonly Column<RecipeResult>[] = [
  ['recipe', (r) => r.subject],
  ['perplexity', (r) => r.perplexity.toFixed(4)],
  ['ratio', (r) => withError(r.perplexityRatio.toFixed(4), r.perplexityRatioError)],
  ['mean KL (nat)', (r) => smallNumber(r.kl.mean)],
  ['99 %', (r) => smallNumber(r.kl.p99)],
  ['top-1', (r) => percent(r.top1Agreement)],
  ['weights', (r) => formatBytes(r.bytes)],
  ['time', (r) => formatSeconds(r.seconds)],
  ['peak memory', (r) => formatBytes(r.peakRssBytes)],
];

/** A table of text with one line per recipe, columns aligned. @throws TundishError EVALUATE_PROTOCOL_MISMATCH */
export function formatRecipeTable(results: readonly RecipeResult[]): string {
  requireSameProtocol(results);
  return tableOf(COLUMNS, results);
}
