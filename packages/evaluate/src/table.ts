/** Shows results side by side, and refuses to where they are not comparable. */
import { alignColumns } from './columns.js';
import type { ResultComparison } from './compare-results.js';
import type { EvaluationResult } from './evaluate.js';
import { requireSameProtocol } from './same-protocol.js';

const COLUMNS: readonly (readonly [string, (result: EvaluationResult) => string])[] = [
  ['artifact', (r) => r.subject],
  ['perplexity', (r) => r.perplexity.toFixed(4)],
  ['ratio', (r) => withError(r.perplexityRatio.toFixed(4), r.perplexityRatioError)],
  ['mean KL (nat)', (r) => smallNumber(r.kl.mean)],
  ['median', (r) => smallNumber(r.kl.median)],
  ['99 %', (r) => smallNumber(r.kl.p99)],
  ['99.9 %', (r) => smallNumber(r.kl.p999)],
  ['max', (r) => smallNumber(r.kl.max)],
  ['top-1', (r) => `${(100 * r.top1Agreement).toFixed(2)} %`],
];

const COMPARISON_COLUMNS: readonly (readonly [string, (comparison: ResultComparison) => string])[] = [
  ['against', (c) => c.against],
  ['perplexity ratio', (c) => withError(c.perplexityRatio.toFixed(4), c.perplexityRatioError)],
  ['mean KL difference (nat)', (c) => withError(signed(c.deltaKl.mean), c.deltaKl.standardError)],
  ['top-1 difference', (c) => `${(100 * c.deltaTop1).toFixed(2)} %`],
];

/**
 * A table of text with one line per result, columns aligned.
 *
 * @throws TundishError EVALUATE_PROTOCOL_MISMATCH
 */
export function formatTable(results: readonly EvaluationResult[]): string {
  requireSameProtocol(results);
  return tableOf(COLUMNS, results);
}

/** One line per pair of results. */
export function formatComparisons(comparisons: readonly ResultComparison[]): string {
  return tableOf(COMPARISON_COLUMNS, comparisons);
}

function tableOf<Row>(columns: readonly (readonly [string, (row: Row) => string])[], rows: readonly Row[]): string {
  return alignColumns([columns.map(([title]) => title), ...rows.map((row) => columns.map(([, show]) => show(row)))]);
}

function withError(value: string, error: number | null): string {
  return error === null ? value : `${value} ± ${smallNumber(error)}`;
}

function signed(value: number): string {
  return value < 0 ? `-${smallNumber(-value)}` : smallNumber(value);
}

function smallNumber(value: number): string {
  if (value === 0) return '0';
  return value < 0.001 ? value.toExponential(2) : value.toFixed(4);
}
