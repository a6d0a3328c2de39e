/** The bootstrap, results against results, and results read back from files. */
import { describe, expect, it } from 'vitest';
import { bootstrapError, clusterMean } from '../src/bootstrap.js';
import { compareResults } from '../src/compare-results.js';
import type { EvaluationResult } from '../src/evaluate.js';
import { miniShape } from '../src/named-protocols.js';
import { parseResults } from '../src/parse-results.js';
import { type Protocol, protocolHash } from '../src/protocol.js';
import { Summary } from '../src/summary.js';

const protocol: Protocol = {
  ...miniShape(8), name: 'test', textSha256: 'a', textFormat: 'text', join: null, tokenizerSha256: 'b', teacherSha256: 'c', bos: 1, windows: 40, maskValue: -100, kernelProfile: 'test',
};

/** 40 windows of 7 positions whose nll and KL lie by `offset` above the teacher's, more in every other window. */
function result(subject: string, offset: number, p = protocol): EvaluationResult {
  const summary = new Summary();
  for (let window = 0; window < 40; window++) {
    for (let position = 0; position < 7; position++) {
      const teacherNll = 2 + Math.sin(window * 7 + position);
      const worse = offset * (1 + (window % 2));
      summary.add({ teacherNll, studentNll: teacherNll + worse, kl: worse, reverseKl: worse, agree: position > 0 });
    }
    summary.endWindow();
  }
  return { subject, protocol: p, protocolHash: protocolHash(p), ...summary.metrics(p.mean) };
}

describe('bootstrapError', () => {
  it('is the standard error of the mean for windows of equal size', () => {
    const values = Array.from({ length: 400 }, (_, i) => Math.sin(i * 12.9898) * 43758.5453 % 1);
    const mean = values.reduce((a, b) => a + b, 0) / 400;
    const expected = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 400 / 400);
    const found = bootstrapError(values.map((value) => ({ sum: 10 * value, count: 10 })), 'positions') ?? NaN;
    expect(Math.abs(found / expected - 1)).toBeLessThan(0.07);
  });

  it('resamples windows and not positions: repeating every window halves nothing', () => {
    const windows = Array.from({ length: 50 }, (_, i) => ({ sum: i % 5, count: 1 }));
    const long = windows.map(({ sum }) => ({ sum: 100 * sum, count: 100 }));
    expect(bootstrapError(long, 'positions')).toBeCloseTo(bootstrapError(windows, 'positions') ?? NaN, 12);
  });

  it('gives the same number each time, 0 without spread, nothing for one window', () => {
    const windows = [{ sum: 0.1, count: 3 }, { sum: 0.7, count: 3 }, { sum: 0.2, count: 3 }];
    expect(bootstrapError(windows, 'windows')).toBe(bootstrapError(windows, 'windows'));
    expect(bootstrapError([{ sum: 0.1, count: 1 }, { sum: 0.1, count: 1 }], 'positions')).toBe(0);
    expect(bootstrapError(windows.slice(0, 1), 'positions')).toBeNull();
    expect(clusterMean([], 'positions')).toBeNaN();
  });
});

describe('compareResults', () => {
  it('pairs the windows of two results', () => {
    const found = compareResults(result('better', 0.1), result('worse', 0.3));
    expect(found).toMatchObject({ subject: 'better', against: 'worse', deltaTop1: 0 });
    expect(found.deltaNll.mean).toBeCloseTo(-0.3, 12);
    expect(found.perplexityRatio).toBeCloseTo(Math.exp(-0.3), 12);
    expect(found.deltaKl.mean).toBeCloseTo(-0.3, 12);
    // Differences are -0.2 and -0.4 by turns: deviation 0.1 over 40 windows.
    expect(found.deltaKl.standardError).toBeCloseTo(0.1 / Math.sqrt(40), 2);
  });

  it('differs in nothing from itself', () => {
    expect(compareResults(result('a', 0.2), result('a', 0.2))).toEqual({ subject: 'a', against: 'a', deltaNll: { mean: 0, standardError: 0 }, perplexityRatio: 1, perplexityRatioError: 0, deltaKl: { mean: 0, standardError: 0 }, deltaTop1: 0 });
  });

  it('refuses another protocol and names what differs', () => {
    const other = { ...protocol, windowLength: 16, textSha256: 'z'.repeat(64) };
    expect(() => compareResults(result('a', 0.1), result('b', 0.1, other))).toThrow(/why: textSha256: "a" and "z{15}…; windowLength: 8 and 16\n/);
  });

  it('refuses results whose windows do not match', () => {
    const [a, b] = [result('a', 0.1), result('b', 0.1)];
    expect(() => compareResults(a, { ...b, windows: b.windows.slice(1) })).toThrow(/EVALUATE_RESULT_INVALID/);
    expect(() => compareResults({ ...a, windows: a.windows.slice(1) }, b)).toThrow(/EVALUATE_RESULT_INVALID/);
  });
});

describe('parseResults', () => {
  const written = [result('a', 0.1), result('b', 0.2)];

  it('reads what was written', () => {
    expect(parseResults(JSON.stringify(written), 'r.json')).toEqual(written);
  });

  it.each([
    ['no JSON', '[', 'the file of results is not JSON'],
    ['no list', '{}', 'the file holds no list of results'],
    ['an empty list', '[]', 'the file holds no list of results'],
    ['no object', '[1]', 'result 1 has no subject'],
    ['a changed protocol', JSON.stringify(written).replace('"windowLength":8', '"windowLength":9'), 'result 1 has a protocolHash that is not that of its protocol'],
    ['a missing number', JSON.stringify(written).replace('"nll":', '"n":'), 'result 1 has no number nll'],
    ['a missing window', JSON.stringify([written[0], { ...written[1], windows: [null] }]), 'result 2 has a window 1 without'],
  ])('refuses %s', (_, text, what) => {
    expect(() => parseResults(text, 'r.json')).toThrow(what);
  });
});
