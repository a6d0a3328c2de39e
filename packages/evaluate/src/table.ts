/** Shows results side by side, and refuses to where they are not comparable. */
import { alignColumns } from './columns.js';
import { evaluateError } from './errors.js';
import type { EvaluationResult } from './evaluate.js';

/**
 * Checks that results may stand side by side.
 *
 * @throws TundishError EVALUATE_PROTOCOL_MISMATCH when two protocol hashes differ
 */
export function requireSameProtocol(results: readonly EvaluationResult[]): void {
  const [head, ...rest] = results;
  const other = rest.find((result) => result.protocolHash !== head?.protocolHash);
  if (head === undefined || other === undefined) return;
  throw evaluateError('EVALUATE_PROTOCOL_MISMATCH', {
    what: `${head.subject} and ${other.subject} were measured under different protocols`,
    why: `${head.protocol} has hash ${head.protocolHash.slice(0, 12)}, ${other.protocol} has ${other.protocolHash.slice(0, 12)}`,
    fix: 'evaluate both again with the same text, tokenizer, window length and mask',
  });
}

const COLUMNS: readonly (readonly [string, (result: EvaluationResult) => string])[] = [
  ['artifact', (r) => r.subject],
  ['perplexity', (r) => r.perplexity.toFixed(4)],
  ['ratio', (r) => r.perplexityRatio.toFixed(4)],
  ['mean KL (nat)', (r) => smallNumber(r.kl.mean)],
  ['median KL (nat)', (r) => smallNumber(r.kl.median)],
  ['p99 KL (nat)', (r) => smallNumber(r.kl.p99)],
  ['max KL (nat)', (r) => smallNumber(r.kl.max)],
  ['top-1', (r) => `${(100 * r.top1Agreement).toFixed(2)} %`],
];

/**
 * A table of text with one line per result, columns aligned.
 *
 * @throws TundishError EVALUATE_PROTOCOL_MISMATCH
 */
export function formatTable(results: readonly EvaluationResult[]): string {
  requireSameProtocol(results);
  return alignColumns([COLUMNS.map(([title]) => title), ...results.map((result) => COLUMNS.map(([, show]) => show(result)))]);
}

function smallNumber(value: number): string {
  if (value === 0) return '0';
  return value < 0.001 ? value.toExponential(2) : value.toFixed(4);
}
