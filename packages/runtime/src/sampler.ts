/** Chooses the next token: penalties, temperature, top-k, top-p, one seeded draw; greedy at temperature 0. */
import { topCandidates } from './candidates.js';
import { runtimeError } from './errors.js';
import { randomStream } from './random.js';
import type { RandomStream } from './random.js';

export interface SamplingOptions {
  /** 0 is greedy: no draw. */
  readonly temperature: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep the most likely tokens up to this total probability; 1 keeps all. */
  readonly topP: number;
  /** Non-negative integer. */
  readonly seed: number;
  /** Divides positive and multiplies negative logits of tokens seen before (CTRL, arXiv 1909.05858); 1 is off. */
  readonly repetitionPenalty: number;
  /** Subtracted once from tokens seen before; 0 is off. */
  readonly presencePenalty: number;
  /** Subtracted for each time a token was seen; 0 is off. */
  readonly frequencyPenalty: number;
  /** Tokens that the penalties look back; 0 means all. */
  readonly penaltyWindow: number;
}

export const GREEDY: SamplingOptions = {
  temperature: 0, topK: 0, topP: 1, seed: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, penaltyWindow: 0,
};

/** One stream of choices: equal options, logits and history give equal tokens on every machine. */
export class Sampler {
  readonly #options: SamplingOptions;
  readonly #random: RandomStream;

  /** @throws TundishError RUNTIME_OPTION_INVALID */
  constructor(options: SamplingOptions) {
    checkOptions(options);
    this.#options = options;
    this.#random = randomStream(options.seed);
  }

  /**
   * @param logits float32 [V], left as it is; -Infinity excludes a token
   * @param history prompt and generated tokens so far, for the penalties
   * @returns a token id; of equal logits the smaller id comes first
   * @throws TundishError RUNTIME_LOGITS_NOT_FINITE
   */
  next(logits: Float32Array, history: readonly number[]): number {
    const { temperature, topK, topP } = this.#options;
    const scores = this.#penalized(logits, history);
    const best = largest(scores);
    if (temperature === 0) return best;
    const max = scores[best] as number;
    const candidates = topCandidates(scores, { best, temperature, topK, topP });
    const weights = new Float64Array(candidates.length);
    let total = 0;
    for (let i = 0; i < candidates.length; i++) {
      const weight = Math.exp(((scores[candidates[i] as number] as number) - max) / temperature);
      weights[i] = weight;
      total += weight;
    }
    let rest = this.#random.next() * total;
    for (let i = 0; i < candidates.length; i++) {
      rest -= weights[i] as number;
      if (rest < 0) return candidates[i] as number;
    }
    // Reached only when rounding leaves the draw at the very end of the sum.
    return candidates[candidates.length - 1] as number;
  }

  #penalized(logits: Float32Array, history: readonly number[]): Float32Array {
    const { repetitionPenalty, presencePenalty, frequencyPenalty, penaltyWindow } = this.#options;
    if (repetitionPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0) return logits;
    const counts = new Map<number, number>();
    for (const id of penaltyWindow === 0 ? history : history.slice(-penaltyWindow)) counts.set(id, (counts.get(id) ?? 0) + 1);
    const scores = Float32Array.from(logits);
    for (const [id, count] of counts) {
      if (id >= scores.length) continue;
      const score = scores[id] as number;
      scores[id] = (score > 0 ? score / repetitionPenalty : score * repetitionPenalty) - presencePenalty - count * frequencyPenalty;
    }
    return scores;
  }
}

function largest(scores: Float32Array): number {
  let best = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number;
    if (score > (scores[best] as number)) best = i;
    if (score !== score || score === Infinity) throw notFinite(i, score);
  }
  if (!Number.isFinite(scores[best])) throw notFinite(best, scores[best]);
  return best;
}

function notFinite(id: number, score: number | undefined): Error {
  return runtimeError('RUNTIME_LOGITS_NOT_FINITE', {
    what: `the logit of token ${id} is ${score}`,
    fix: 'evaluate the stages of the build one by one to find where the values are lost',
  });
}

function checkOptions(options: SamplingOptions): void {
  const rules: readonly (readonly [keyof SamplingOptions, boolean, string])[] = [
    ['temperature', options.temperature >= 0 && Number.isFinite(options.temperature), '0 or more'],
    ['topK', Number.isSafeInteger(options.topK) && options.topK >= 0, 'an integer of 0 (off) or more'],
    ['topP', options.topP > 0 && options.topP <= 1, 'above 0 and at most 1'],
    ['seed', Number.isSafeInteger(options.seed) && options.seed >= 0, 'an integer of 0 or more'],
    ['repetitionPenalty', options.repetitionPenalty > 0 && Number.isFinite(options.repetitionPenalty), 'above 0'],
    ['presencePenalty', Number.isFinite(options.presencePenalty), 'a finite number'],
    ['frequencyPenalty', Number.isFinite(options.frequencyPenalty), 'a finite number'],
    ['penaltyWindow', Number.isSafeInteger(options.penaltyWindow) && options.penaltyWindow >= 0, 'an integer of 0 (all) or more'],
  ];
  for (const [name, fits, rule] of rules) {
    if (!fits) throw runtimeError('RUNTIME_OPTION_INVALID', { what: `${name} is ${options[name]}`, fix: `give ${rule}` });
  }
}
