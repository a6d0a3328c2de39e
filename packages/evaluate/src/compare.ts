/** Compares two rows of logits: likelihood of the target, KL divergence both ways, equality of the first choice. */
import { evaluateError } from './errors.js';
import { expNonPositive } from './exp.js';

/** Natural logarithms throughout (nats). */
export interface RowComparison {
  /** -log p(target) of the teacher and of the student. */
  readonly teacherNll: number;
  readonly studentNll: number;
  /** KL(teacher || student), at least 0. */
  readonly kl: number;
  /** KL(student || teacher), at least 0. */
  readonly reverseKl: number;
  /** Both put the same token first; of equal logits the smallest id counts. */
  readonly agree: boolean;
}

/** Holds the exponentials of one teacher row, so that any number of students costs one exponential an element each. */
export class RowComparer {
  readonly #vocabularySize: number;
  readonly #exps: Float64Array;
  #teacher: Float32Array;
  #max = 0;
  #argmax = 0;
  #sum = 0;

  constructor(vocabularySize: number) {
    this.#vocabularySize = vocabularySize;
    this.#exps = new Float64Array(vocabularySize);
    this.#teacher = new Float32Array(vocabularySize);
  }

  /**
   * Takes the teacher's row, float32 [V]; it is read again by `compare` and must stay as it is until then.
   *
   * @throws TundishError EVALUATE_ROWS_MISMATCH, EVALUATE_LOGITS_NOT_FINITE
   */
  setTeacher(row: Float32Array): void {
    this.#checkWidth(row);
    const best = argmax(row);
    const max = row[best] ?? 0;
    const exps = this.#exps;
    let sum = 0;
    for (let i = 0; i < row.length; i++) {
      const e = expNonPositive((row[i] as number) - max);
      exps[i] = e;
      sum += e;
    }
    checkSum(sum);
    this.#teacher = row;
    this.#argmax = best;
    this.#max = max;
    this.#sum = sum;
  }

  /** -log p(target) of the teacher's row. */
  teacherNll(target: number): number {
    this.#checkTarget(target);
    return Math.log(this.#sum) + this.#max - (this.#teacher[target] as number);
  }

  /**
   * Compares a student's row, float32 [V], with the teacher's. Equal rows give exactly 0 for both divergences.
   *
   * With d = t - s: KL(t||s) = sum(exp(t) d) / Zt + log Zs - log Zt, so no logarithm is taken per element.
   *
   * @throws TundishError EVALUATE_ROWS_MISMATCH, EVALUATE_LOGITS_NOT_FINITE, EVALUATE_TOKEN_OUT_OF_RANGE
   */
  compare(row: Float32Array, target: number): RowComparison {
    this.#checkWidth(row);
    this.#checkTarget(target);
    const best = argmax(row);
    const max = row[best] as number;
    const teacher = this.#teacher;
    const exps = this.#exps;
    let sum = 0;
    let forward = 0;
    let backward = 0;
    for (let i = 0; i < row.length; i++) {
      const s = row[i] as number;
      const e = expNonPositive(s - max);
      const d = (teacher[i] as number) - s;
      sum += e;
      forward += (exps[i] as number) * d;
      backward += e * d;
    }
    // A single -Infinity leaves the sum alone but makes a divergence infinite or NaN.
    checkSum(Number.isFinite(forward + backward) ? sum : NaN);
    const teacherLse = Math.log(this.#sum) + this.#max;
    const studentLse = Math.log(sum) + max;
    return {
      teacherNll: teacherLse - (teacher[target] as number),
      studentNll: studentLse - (row[target] as number),
      // Rounding can leave a divergence of near-equal rows a few 1e-16 below zero.
      kl: Math.max(0, forward / this.#sum + (studentLse - teacherLse)),
      reverseKl: Math.max(0, teacherLse - studentLse - backward / sum),
      agree: best === this.#argmax,
    };
  }

  #checkWidth(row: Float32Array): void {
    if (row.length === this.#vocabularySize) return;
    throw evaluateError('EVALUATE_ROWS_MISMATCH', { what: `a row of logits has ${row.length} values, the vocabulary ${this.#vocabularySize}` });
  }

  #checkTarget(target: number): void {
    if (target >= 0 && target < this.#vocabularySize) return;
    throw evaluateError('EVALUATE_TOKEN_OUT_OF_RANGE', {
      what: `token ${target} is outside the vocabulary of ${this.#vocabularySize}`,
      fix: 'tokenize the text with the tokenizer of this model',
    });
  }
}

/** One comparison without state; `RowComparer` is for many. */
export function compareLogits(teacher: Float32Array, student: Float32Array, target: number): RowComparison {
  const comparer = new RowComparer(teacher.length);
  comparer.setTeacher(teacher);
  return comparer.compare(student, target);
}

/** The index of the largest logit, the lowest of equal ones: the token that greedy decoding takes. */
export function argmax(row: Float32Array): number {
  let best = 0;
  let max = row[0] as number;
  for (let i = 1; i < row.length; i++) {
    const value = row[i] as number;
    if (value > max) {
      max = value;
      best = i;
    }
  }
  return best;
}

// With a finite maximum the sum of exponentials is at least 1; anything else means NaN or infinity in the row.
function checkSum(sum: number): void {
  if (sum >= 1 && sum < Infinity) return;
  throw evaluateError('EVALUATE_LOGITS_NOT_FINITE', {
    what: 'a row of logits holds NaN or infinity',
    fix: 'look at the encodings of the last block and of lm_head, and at the checkpoint itself',
  });
}
