/** Shows results side by side, and refuses to where they are not comparable. */
import { type Column, tableOf } from './columns.js';
import type { ResultComparison } from './compare-results.js';
import type { EvaluationResult } from './evaluate.js';
import { percent, signed, smallNumber, withError } from './figures.js';
import { requireSameProtocol } from './same-protocol.js';

const COLUMNS: readonly Column<EvaluationResult>[] = [
  ['artifact', (r) => r.subject],
  ['perplexity', (r) => r.perplexity.toFixed(4)],
  ['ratio', (r) => withError(r.perplexityRatio.toFixed(4), r.perplexityRatioError)],
  ['mean KL (nat)', (r) => smallNumber(r.kl.mean)],
  ['median', (r) => smallNumber(r.kl.median)],
  ['99 %', (r) => smallNumber(r.kl.p99)],
  ['99.9 %', (r) => smallNumber(r.kl.p999)],
  ['max', (r) => smallNumber(r.kl.max)],
  ['top-1', (r) => percent(r.top1Agreement)],
];

const COMPARISON_COLUMNS: readonly Column<ResultComparison>[] = [
  ['against', (c) => c.against],
  ['perplexity ratio', (c) => withError(c.perplexityRatio.toFixed(4), c.perplexityRatioError)],
  ['mean KL difference (nat)', (c) => withError(signed(c.deltaKl.mean), c.deltaKl.standardError)],
  ['top-1 difference', (c) => percent(c.deltaTop1)],
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
