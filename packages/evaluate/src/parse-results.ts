/** Reads results that an evaluation wrote as JSON, and believes nothing that it does not find in them. */
import { messageOf, printable } from '@tundish/diagnostics';
import { evaluateError } from './errors.js';
import type { EvaluationResult } from './evaluate.js';
import { protocolHash } from './protocol.js';

const NUMBERS = ['positions', 'nll', 'perplexity', 'perplexityRatio', 'top1Agreement'] as const;
const WINDOW_NUMBERS = ['positions', 'nll', 'teacherNll', 'kl'] as const;

/**
 * @param path where the text comes from, for messages
 * @throws EVALUATE_RESULT_INVALID, also when a hash is not that of the protocol beside it
 */
export function parseResults(text: string, path: string): EvaluationResult[] {
  const refuse = (what: string, why?: string): Error =>
    evaluateError('EVALUATE_RESULT_INVALID', { what, ...(why === undefined ? {} : { why }), evidence: { path }, fix: 'give what `tundish evaluate MODEL --json` printed' });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse('the file of results is not JSON', printable(messageOf(cause)));
  }
  if (!Array.isArray(value) || value.length === 0) throw refuse('the file holds no list of results');
  return value.map((entry: unknown, i) => {
    const fault = faultOf(entry);
    if (fault !== undefined) throw refuse(`result ${i + 1} ${fault}`);
    return entry as EvaluationResult;
  });
}

function faultOf(result: unknown): string | undefined {
  if (!isRecord(result) || typeof result['subject'] !== 'string') return 'has no subject';
  const { protocol, protocolHash: hash, windows, kl } = result;
  if (!isRecord(protocol) || typeof protocol['name'] !== 'string') return 'has no protocol';
  if (hash !== protocolHash(protocol)) return 'has a protocolHash that is not that of its protocol';
  const missing = NUMBERS.find((name) => typeof result[name] !== 'number');
  if (missing !== undefined) return `has no number ${missing}`;
  if (!isRecord(kl) || typeof kl['mean'] !== 'number') return 'has no number kl.mean';
  if (!Array.isArray(windows)) return 'has no windows';
  const wrong = windows.findIndex((window: unknown) => !isRecord(window) || WINDOW_NUMBERS.some((name) => typeof window[name] !== 'number'));
  return wrong < 0 ? undefined : `has a window ${wrong + 1} without the numbers ${WINDOW_NUMBERS.join(', ')}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
