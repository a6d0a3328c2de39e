/** Row metrics against a naive implementation with explicit probabilities. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowComparer, compareLogits } from '../src/compare.js';

const rowOf = (length: number): fc.Arbitrary<Float32Array> => fc.array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: length, maxLength: length }).map((values) => Float32Array.from(values));
const pair = fc.integer({ min: 1, max: 50 }).chain((length) => fc.tuple(rowOf(length), rowOf(length), fc.integer({ min: 0, max: length - 1 })));

function naive(teacher: Float32Array, student: Float32Array, target: number): Record<string, number | boolean> {
  const probabilities = (row: Float32Array): number[] => {
    const weights = [...row].map((x) => Math.exp(x));
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map((w) => w / total);
  };
  const [p, q] = [probabilities(teacher), probabilities(student)];
  const divergence = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * Math.log(x / (b[i] as number)), 0);
  const first = (row: Float32Array): number => row.indexOf(Math.max(...row));
  return { teacherNll: -Math.log(p[target] as number), studentNll: -Math.log(q[target] as number), kl: divergence(p, q), reverseKl: divergence(q, p), agree: first(teacher) === first(student) };
}

describe('compareLogits', () => {
  it('equals the definition', () => {
    fc.assert(fc.property(pair, ([teacher, student, target]) => {
      const found = compareLogits(teacher, student, target);
      const expected = naive(teacher, student, target);
      for (const key of ['teacherNll', 'studentNll', 'kl', 'reverseKl'] as const) expect(found[key]).toBeCloseTo(expected[key] as number, 9);
      expect(found.agree).toBe(expected['agree']);
      expect(found.kl).toBeGreaterThanOrEqual(0);
      expect(found.reverseKl).toBeGreaterThanOrEqual(0);
    }));
  });

  it('gives exactly 0 for equal rows', () => {
    fc.assert(fc.property(pair, ([row, , target]) => {
      const found = compareLogits(row, Float32Array.from(row), target);
      return found.kl === 0 && found.reverseKl === 0 && found.agree && found.teacherNll === found.studentNll;
    }));
  });

  it('changes nothing but rounding when a constant is added to a row', () => {
    const found = compareLogits(Float32Array.of(1, 2, 3), Float32Array.of(101, 102, 103), 0);
    expect(found.kl).toBeLessThan(1e-12);
    expect(found.studentNll).toBeCloseTo(found.teacherNll, 12);
  });

  it('survives logits whose exponentials overflow', () => {
    const found = compareLogits(Float32Array.of(3e38, 0), Float32Array.of(0, 1000), 0);
    expect(found.agree).toBe(false);
    expect(found.studentNll).toBe(1000);
  });

  it('compares any number of students with one teacher', () => {
    const comparer = new RowComparer(3);
    const teacher = Float32Array.of(1, 2, 3);
    comparer.setTeacher(teacher);
    for (const student of [Float32Array.of(3, 2, 1), Float32Array.of(0, 0, 0)]) expect(comparer.compare(student, 1)).toEqual(compareLogits(teacher, student, 1));
  });

  it('refuses rows without probabilities, of another width, and foreign targets', () => {
    const good = Float32Array.of(1, 2);
    for (const bad of [[NaN, 1], [1, NaN], [Infinity, 1], [-Infinity, -Infinity], [-Infinity, 1]]) {
      expect(() => compareLogits(Float32Array.from(bad), good, 0)).toThrow(/EVALUATE_LOGITS_NOT_FINITE/);
      expect(() => compareLogits(good, Float32Array.from(bad), 0)).toThrow(/EVALUATE_LOGITS_NOT_FINITE/);
    }
    expect(() => compareLogits(good, Float32Array.of(1, 2, 3), 0)).toThrow(/EVALUATE_ROWS_MISMATCH/);
    expect(() => compareLogits(good, good, 2)).toThrow(/EVALUATE_TOKEN_OUT_OF_RANGE/);
  });
});
