/** Holds two results against each other, window by window. */
import { bootstrapError, clusterMean } from './bootstrap.js';
import { evaluateError } from './errors.js';
import type { EvaluationResult } from './evaluate.js';
import { requireSameProtocol } from './same-protocol.js';
import type { WindowSums } from './summary.js';

/** The first result minus the second. Errors are those of a bootstrap over the windows of both; null with fewer than two. */
export interface ResultComparison {
  readonly subject: string;
  readonly against: string;
  readonly deltaNll: { readonly mean: number; readonly standardError: number | null };
  /** exp(deltaNll): perplexity of the first over that of the second. */
  readonly perplexityRatio: number;
  readonly perplexityRatioError: number | null;
  /** Difference of the mean KL from the checkpoint, nats: negative where the first is closer to it. */
  readonly deltaKl: { readonly mean: number; readonly standardError: number | null };
  readonly deltaTop1: number;
}

/** @throws TundishError EVALUATE_PROTOCOL_MISMATCH, EVALUATE_RESULT_INVALID when the windows of the two do not match */
export function compareResults(a: EvaluationResult, b: EvaluationResult): ResultComparison {
  requireSameProtocol([a, b]);
  const { mean } = a.protocol;
  const nll = paired(a, b, (window) => window.nll);
  const kl = paired(a, b, (window) => window.kl);
  const delta = clusterMean(nll, mean);
  return {
    subject: a.subject,
    against: b.subject,
    deltaNll: { mean: delta, standardError: bootstrapError(nll, mean) },
    perplexityRatio: Math.exp(delta),
    perplexityRatioError: bootstrapError(nll, mean, Math.exp),
    deltaKl: { mean: clusterMean(kl, 'positions'), standardError: bootstrapError(kl, 'positions') },
    deltaTop1: a.top1Agreement - b.top1Agreement,
  };
}

function paired(a: EvaluationResult, b: EvaluationResult, sum: (window: WindowSums) => number): { sum: number; count: number }[] {
  return a.windows.map((window, i) => {
    const other = b.windows[i];
    if (other === undefined || other.positions !== window.positions || b.windows.length !== a.windows.length) {
      throw evaluateError('EVALUATE_RESULT_INVALID', { what: `window ${i + 1} of ${a.subject} and of ${b.subject} do not hold the same positions`, fix: 'evaluate both again' });
    }
    return { sum: sum(window) - sum(other), count: window.positions };
  });
}
