/** Whole evaluations: uniform logits, equal sources, windows, protocols that must not be mixed. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../src/evaluate.js';
import type { LogitSource } from '../src/evaluate.js';
import { PROTOCOLS, miniShape } from '../src/named-protocols.js';
import { evaluatePairs } from '../src/pairs.js';
import { protocolHash } from '../src/protocol.js';
import type { Protocol } from '../src/protocol.js';
import { requireSameProtocol } from '../src/same-protocol.js';
import { Summary } from '../src/summary.js';
import { formatTable } from '../src/table.js';
import { windowsOf } from '../src/windows.js';

const V = 17;
const protocol: Protocol = {
  ...miniShape(8), name: 'test', textSha256: 'a'.repeat(64), textFormat: 'text', join: null, tokenizerSha256: 'b'.repeat(64), teacherSha256: 'c'.repeat(64), bos: 1, windows: 5, maskValue: -100, kernelProfile: 'test',
};
const text = Array.from({ length: 40 }, (_, i) => (i * 7) % V);
const windows = windowsOf(text, protocol, protocol.bos);

/** Logits that depend on the token and its position, in blocks of `block` rows. */
function source(block: number, logit: (token: number, position: number, id: number) => number): LogitSource {
  return {
    vocabularySize: V,
    async *score(tokens) {
      for (let start = 0; start < tokens.length; start += block) {
        const count = Math.min(block, tokens.length - start);
        yield Float32Array.from({ length: count * V }, (_, i) => logit(tokens[start + Math.floor(i / V)] as number, start + Math.floor(i / V), i % V));
      }
    },
  };
}

const wavy = (token: number, position: number, id: number): number => 3 * Math.sin(token * 5 + position * 3 + id * id);
const run = (teacher: LogitSource, students: [string, LogitSource][], p = protocol, over = windows): ReturnType<typeof evaluate> => evaluate({ protocol: p, windows: over, teacher, students: new Map(students) });

describe('pairs of sources', () => {
  it('are measured in either direction, each source executed once a window', async () => {
    let scored = 0;
    const counted: LogitSource = { vocabularySize: V, score: (tokens) => (scored++, source(3, wavy).score(tokens)) };
    const other = source(4, (token, position, id) => wavy(token, position, id) + (id % 3));
    const pairs = [{ subject: 'b', teacher: counted, student: other }, { subject: 'a', teacher: other, student: counted }, { subject: 'same', teacher: counted, student: counted }];
    const [forward, backward, same] = await evaluatePairs({ protocol, windows, pairs });
    expect(scored).toBe(windows.length);
    expect(forward?.kl.mean).toBeGreaterThan(0.01);
    expect(backward?.kl.mean).toBeCloseTo(forward?.reverseKlMean as number, 12);
    expect(backward?.perplexity).toBe(forward?.teacherPerplexity);
    expect(same).toMatchObject({ kl: { mean: 0, max: 0 }, flips: 0 });
    expect(forward).toEqual({ ...(await run(counted, [['b', other]]))[0], subject: undefined, protocol: undefined, protocolHash: undefined });
  });
});

describe('evaluate', () => {
  it('uniform logits have the perplexity of the vocabulary size', async () => {
    const [result] = await run(source(3, () => 4), [['uniform', source(8, () => -2)]]);
    expect(result?.perplexity).toBeCloseTo(V, 12);
    expect(result).toMatchObject({ positions: 5 * 7, top1Agreement: 1, kl: { mean: 0, median: 0, p99: 0, p999: 0, max: 0 }, reverseKlMean: 0, perplexityRatio: 1 });
  });

  it('a source against itself differs in nothing, exactly', async () => {
    const [result] = await run(source(3, wavy), [['same', source(5, wavy)]]);
    expect(result).toMatchObject({
      kl: { mean: 0, median: 0, p99: 0, p999: 0, max: 0 }, reverseKlMean: 0, flips: 0, top1Agreement: 1, rmsDeltaP: 0, deltaNll: { mean: 0, standardError: 0 }, perplexityRatio: 1, perplexityRatioError: 0,
    });
    expect(result?.perplexity).toBe(result?.teacherPerplexity);
  });

  it('gives the same result in whatever blocks the rows come', async () => {
    const other = (t: number, p: number, id: number): number => wavy(t, p, id) + 0.3 * Math.cos(id + p);
    const [whole] = await run(source(8, wavy), [['other', source(8, other)]]);
    for (const block of [1, 2, 3, 4, 7]) expect((await run(source(block, wavy), [['other', source(9 - block, other)]]))[0]).toEqual(whole);
  });

  it('finds nothing to predict in shuffled text', async () => {
    // Each token tells the next one; of the shuffled text it tells something else.
    const knows = source(4, (token, _, id) => (id === (token + 7) % V ? 8 : 0));
    const shuffled = text.map((_, i) => text[(i * 11 + 3) % text.length] as number);
    const ordered = [{ ...protocol, scored: { first: 2, last: 7 } }, windows] as const;
    expect((await run(knows, [['s', knows]], ...ordered))[0]?.perplexity).toBeLessThan(1.01);
    expect((await run(knows, [['s', knows]], ordered[0], windowsOf(shuffled, protocol, 1)))[0]?.perplexity).toBeGreaterThan(V);
  });

  it('counts a short last window as much as a whole one, or by its positions', async () => {
    const shape = { ...protocol, bosPolicy: 'text', windowLength: 16, stride: 16, tail: 'keep', scored: { first: 1, last: 15 } } as const;
    const cut = windowsOf(text, shape, 1);
    expect(cut.map(({ length }) => length)).toEqual([16, 16, 9]);
    const [[byWindow], [byPosition]] = [await run(source(4, wavy), [['s', source(4, () => 0)]], { ...shape, mean: 'windows' }, cut), await run(source(4, wavy), [['s', source(4, () => 0)]], shape, cut)];
    const sums = byWindow?.windows ?? [];
    expect(sums.map(({ positions }) => positions)).toEqual([15, 15, 8]);
    expect(byWindow?.teacherPerplexity).toBeCloseTo(Math.exp(sums.reduce((total, { teacherNll, positions }) => total + teacherNll / positions, 0) / 3), 12);
    expect(byPosition?.teacherPerplexity).toBeCloseTo(Math.exp(sums.reduce((total, { teacherNll }) => total + teacherNll, 0) / 38), 12);
    expect(byWindow?.teacherPerplexity).not.toBeCloseTo(byPosition?.teacherPerplexity ?? NaN, 3);
  });

  it('equals a naive evaluation, for each of several students, also of a part of the window', async () => {
    const other = (t: number, p: number, id: number): number => wavy(t, p, id) + 0.3 * Math.cos(id + p);
    const partial = { ...protocol, scored: { first: 4, last: 6 } };
    const results = await run(source(2, wavy), [['same', source(7, wavy)], ['other', source(4, other)]], partial);
    const softmax = (logit: typeof wavy, token: number, p: number): number[] => {
      const weights = Array.from({ length: V }, (_, id) => Math.exp(Math.fround(logit(token, p, id))));
      const total = weights.reduce((a, b) => a + b, 0);
      return weights.map((w) => w / total);
    };
    let [nll, kl, squares, count] = [0, 0, 0, 0];
    for (const window of windows) {
      for (let p = 4; p <= 6; p++) {
        const [t, s] = [wavy, other].map((logit) => softmax(logit, window[p - 1] as number, p - 1)) as [number[], number[]];
        nll -= Math.log(s[window[p] as number] as number);
        kl += t.reduce((sum, x, i) => sum + x * Math.log(x / (s[i] as number)), 0);
        squares += ((t[window[p] as number] as number) - (s[window[p] as number] as number)) ** 2;
        count++;
      }
    }
    expect(results.map((r) => r.subject)).toEqual(['same', 'other']);
    expect(results[1]?.positions).toBe(count);
    expect(results[1]?.nll).toBeCloseTo(nll / count, 10);
    expect(results[1]?.kl.mean).toBeCloseTo(kl / count, 10);
    expect(results[1]?.rmsDeltaP).toBeCloseTo(Math.sqrt(squares / count), 10);
    expect(results[1]?.flips).toBeGreaterThan(0);
    expect(results[1]?.top1Agreement).toBe(1 - (results[1]?.flips ?? NaN) / count);
  });

  it('closes its sources and stops on a signal', async () => {
    const open = new Set<string>();
    const tracked = (name: string): LogitSource => ({
      vocabularySize: V,
      async *score(tokens) {
        open.add(name);
        try {
          yield* source(2, wavy).score(tokens);
        } finally {
          open.delete(name);
        }
      },
    });
    const controller = new AbortController();
    const request = { protocol: { ...protocol, scored: { first: 1, last: 3 } }, windows, teacher: tracked('t'), students: new Map([['s', tracked('s')]]) };
    const done: number[] = [];
    const stop = (n: number): void => {
      done.push(n);
      if (n === 2) controller.abort(new Error('enough'));
    };
    await expect(evaluate({ ...request, signal: controller.signal, onWindow: stop })).rejects.toThrow('enough');
    expect(done).toEqual([1, 2]);
    expect(open.size).toBe(0);
  });

  it('refuses sources that do not fit', async () => {
    const short: LogitSource = { vocabularySize: V, score: (tokens) => source(2, wavy).score(tokens.subarray(0, 3)) };
    const torn: LogitSource = { vocabularySize: V, score: (tokens) => ({ async *[Symbol.asyncIterator]() { yield new Float32Array(tokens.length * V - 1); } }) };
    for (const bad of [short, torn, { ...source(2, wavy), vocabularySize: V + 1 }]) await expect(run(source(2, wavy), [['bad', bad]])).rejects.toMatchObject({ code: 'EVALUATE_ROWS_MISMATCH' });
    for (const scored of [{ first: 0, last: 7 }, { first: 3, last: 2 }, { first: 1, last: 8 }]) {
      await expect(run(source(2, wavy), [['s', source(2, wavy)]], { ...protocol, scored })).rejects.toMatchObject({ code: 'EVALUATE_WINDOW_INVALID' });
    }
  });
});

describe('windowsOf', () => {
  it('cuts as the stored windows of the bundled checkpoint', () => {
    const windows = tensorOf('eval_windows');
    const ids = windows.flatMap((window) => [...window.slice(1)]);
    const cut = windowsOf([...ids, 1, 2, 3], PROTOCOLS.mini, windows[0]?.[0] as number);
    expect(cut.map((w) => [...w])).toEqual(windows.map((w) => [...w]));
  });

  const ids = Array.from({ length: 5000 }, (_, i) => i + 1);
  const cut = (name: keyof typeof PROTOCOLS, count: number, bos: number | null = 0): number[][] => windowsOf(ids.slice(0, count), PROTOCOLS[name], bos).map((window) => [...window]);

  it('puts BOS in front of every window, and drops the remainder', () => {
    expect(windowsOf([5, 6, 7, 8, 9], miniShape(3), 1)).toEqual([Int32Array.of(1, 5, 6), Int32Array.of(1, 7, 8)]);
  });

  it('puts BOS once in front of the text, or none where the tokenizer has none', () => {
    expect(cut('gptq-2048', 4999)).toEqual([[0, ...ids.slice(0, 2047)], ids.slice(2047, 4095)]);
    expect(cut('aimet-4096', 4999)).toEqual([[0, ...ids.slice(0, 4095)]]);
    expect(cut('aimet-4096', 4096, null)).toEqual([ids.slice(0, 4096)]);
  });

  it('keeps a tail that scores something', () => {
    expect(cut('aihub-4096', 4999)).toEqual([[0, ...ids.slice(0, 4095)], ids.slice(4095, 4999)]);
    expect(cut('aihub-4096', 4096)).toHaveLength(1);
    expect(cut('aihub-4096', 4097)).toHaveLength(2);
    expect(cut('aihub-4096', 10)).toEqual([[0, ...ids.slice(0, 10)]]);
  });

  it('overwrites the first token of every window, as llama-perplexity does', () => {
    expect(cut('llamacpp-512', 1300)).toEqual([[0, ...ids.slice(0, 511)], [0, ...ids.slice(512, 1023)]]);
    expect(cut('llamacpp-512', 600, null)).toEqual([ids.slice(0, 512)]);
    expect(PROTOCOLS['llamacpp-512'].scored.last - PROTOCOLS['llamacpp-512'].scored.first + 1).toBe(255);
  });

  it('refuses texts without a window and shapes that score nothing', () => {
    expect(() => windowsOf([5], miniShape(3), 1)).toThrow(/EVALUATE_TEXT_TOO_SHORT/);
    expect(() => windowsOf([], PROTOCOLS['aihub-4096'], 1)).toThrow(/EVALUATE_TEXT_TOO_SHORT/);
    expect(() => windowsOf([5, 6], miniShape(1), 1)).toThrow(/EVALUATE_WINDOW_INVALID/);
    expect(() => windowsOf([5, 6], { ...miniShape(2), stride: 0 }, 1)).toThrow(/EVALUATE_WINDOW_INVALID/);
  });
});

describe('protocols', () => {
  const changes: Partial<Protocol>[] = [
    { name: 'x' }, { textSha256: 'x' }, { textFormat: 'jsonl' }, { join: 3 }, { tokenizerSha256: 'x' }, { teacherSha256: 'x' }, { windowLength: 9 }, { stride: 8 }, { bos: 2 }, { bosPolicy: 'text' }, { tail: 'keep' },
    { scored: { first: 2, last: 7 } }, { scored: { first: 1, last: 6 } }, { mean: 'windows' }, { windows: 4 }, { maskValue: -50 }, { kernelProfile: 'x' },
  ];

  it('every field counts, the order of keys does not', () => {
    expect(new Set(changes.flatMap((change) => Object.keys(change)))).toEqual(new Set(Object.keys(protocol)));
    expect(new Set([protocol, ...changes.map((change) => ({ ...protocol, ...change }))].map(protocolHash)).size).toBe(changes.length + 1);
    expect(protocolHash(Object.fromEntries(Object.entries(protocol).reverse()))).toBe(protocolHash(protocol));
  });

  it('results under different protocols do not meet in a table', async () => {
    const [a] = await run(source(2, wavy), [['a', source(2, wavy)]]);
    const [b] = await run(source(2, wavy), [['b', source(2, wavy)]], { ...protocol, maskValue: -50, scored: { first: 2, last: 7 } });
    if (a === undefined || b === undefined) throw new RangeError('no results');
    expect(() => requireSameProtocol([a, b])).toThrow(/EVALUATE_PROTOCOL_MISMATCH: a under test and b under test cannot be compared\n {2}why: maskValue: -100 and -50; scored.first: 1 and 2\n/);
    expect(() => formatTable([a, b])).toThrow(/EVALUATE_PROTOCOL_MISMATCH/);
    expect(formatTable([a])).toMatchInlineSnapshot(`
      "artifact  perplexity       ratio  mean KL (nat)  median  99 %  99.9 %  max     top-1
      a            61.2397  1.0000 ± 0              0       0     0       0    0  100.00 %"
    `);
  });
});

describe('Summary', () => {
  it('takes percentiles by nearest rank, of more rows than fit at first', () => {
    const summary = new Summary();
    for (let i = 3000; i >= 1; i--) summary.add({ teacherNll: 1, studentNll: 2, kl: i, reverseKl: 1, agree: i % 2 === 0 });
    summary.endWindow();
    const found = summary.metrics('positions');
    expect(found.kl).toEqual({ mean: 1500.5, median: 1500, p99: 2970, p999: 2997, max: 3000 });
    expect(found).toMatchObject({ positions: 3000, perplexityRatio: Math.E, deltaNll: { mean: 1, standardError: null }, perplexityRatioError: null, top1Agreement: 0.5, flips: 1500 });
    expect(found.rmsDeltaP).toBeCloseTo(Math.exp(-1) - Math.exp(-2), 14);
    expect(new Summary().metrics('positions').perplexity).toBeNaN();
  });
});

/** Rows of an int32 tensor of protocol.safetensors. */
function tensorOf(name: string): Int32Array[] {
  const bytes = readFileSync(new URL('../../../models/llama32/checkpoint/protocol.safetensors', import.meta.url));
  const size = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + size)) as Record<string, { shape: [number, number]; data_offsets: [number, number] }>;
  const { shape, data_offsets: range } = header[name] ?? { shape: [0, 0], data_offsets: [0, 0] };
  const start = 8 + size + range[0];
  return Array.from({ length: shape[0] }, (_, w) => Int32Array.from({ length: shape[1] }, (_x, i) => bytes.readInt32LE(start + 4 * (w * shape[1] + i))));
}
