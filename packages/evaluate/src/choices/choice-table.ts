/** Results of multiple-choice questions side by side. */
import { alignColumns } from '../columns.js';
import { requireSameProtocol } from '../same-protocol.js';
import type { ChoiceResult } from './evaluate-choices.js';

/** @throws TundishError EVALUATE_PROTOCOL_MISMATCH */
export function formatChoiceTable(results: readonly ChoiceResult[]): string {
  requireSameProtocol(results);
  const lines = results.map((r) => [r.subject, `${percent(r.accuracy)}${r.accuracyError === null ? '' : ` ± ${(100 * r.accuracyError).toFixed(2)}`}`, percent(r.agreement), String(r.flips), r.kl === 0 ? '0' : r.kl.toPrecision(3)]);
  return alignColumns([['artifact', 'accuracy', 'as checkpoint', 'flips', 'mean KL of choices (nat)'], ...lines]);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
