/** Whole evaluations: uniform logits, equal sources, windows, protocols that must not be mixed. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../src/evaluate.js';
import type { LogitSource } from '../src/evaluate.js';
import { protocolHash, windowsOf } from '../src/protocol.js';
import type { Protocol } from '../src/protocol.js';
import { Summary } from '../src/summary.js';
import { formatTable, requireSameProtocol } from '../src/table.js';

const V = 17;
const protocol: Protocol = {
  name: 'test', textSha256: 'a'.repeat(64), tokenizerSha256: 'b'.repeat(64), windowLength: 8, bos: 1, scored: { first: 1, last: 7 }, maskValue: -100, kernelProfile: 'test',
};
const text = Array.from({ length: 40 }, (_, i) => (i * 7) % V);
const windows = windowsOf(text, protocol.bos, protocol.windowLength);

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
const run = (teacher: LogitSource, students: [string, LogitSource][], p = protocol): ReturnType<typeof evaluate> => evaluate({ protocol: p, windows, teacher, students: new Map(students) });

describe('evaluate', () => {
  it('uniform logits have the perplexity of the vocabulary size', async () => {
    const [result] = await run(source(3, () => 4), [['uniform', source(8, () => -2)]]);
    expect(result?.perplexity).toBeCloseTo(V, 12);
    expect(result).toMatchObject({ positions: 5 * 7, top1Agreement: 1, kl: { mean: 0, median: 0, p99: 0, max: 0 }, reverseKlMean: 0, perplexityRatio: 1 });
  });

  it('a source against itself has divergence exactly 0 whatever the blocks', async () => {
    const [result] = await run(source(3, wavy), [['same', source(5, wavy)]]);
    expect(result?.kl).toEqual({ mean: 0, median: 0, p99: 0, max: 0 });
    expect(result?.perplexity).toBe(result?.teacherPerplexity);
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
    let [nll, kl, count] = [0, 0, 0];
    for (const window of windows) {
      for (let p = 4; p <= 6; p++) {
        const [t, s] = [wavy, other].map((logit) => softmax(logit, window[p - 1] as number, p - 1)) as [number[], number[]];
        nll -= Math.log(s[window[p] as number] as number);
        kl += t.reduce((sum, x, i) => sum + x * Math.log(x / (s[i] as number)), 0);
        count++;
      }
    }
    expect(results.map((r) => r.subject)).toEqual(['same', 'other']);
    expect(results[1]?.positions).toBe(count);
    expect(results[1]?.nll).toBeCloseTo(nll / count, 10);
    expect(results[1]?.kl.mean).toBeCloseTo(kl / count, 10);
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
  it('cuts as the stored protocol of the bundled checkpoint', () => {
    const windows = tensorOf('eval_windows');
    const ids = windows.flatMap((window) => [...window.slice(1)]);
    const cut = windowsOf([...ids, 1, 2, 3], windows[0]?.[0] as number, 512);
    expect(cut.map((w) => [...w])).toEqual(windows.map((w) => [...w]));
  });

  it('drops the remainder and refuses texts without a window', () => {
    expect(windowsOf([5, 6, 7, 8, 9], 1, 3)).toEqual([Int32Array.of(1, 5, 6), Int32Array.of(1, 7, 8)]);
    expect(() => windowsOf([5], 1, 3)).toThrow(/EVALUATE_TEXT_TOO_SHORT/);
    expect(() => windowsOf([5, 6], 1, 1)).toThrow(/EVALUATE_WINDOW_INVALID/);
  });
});

describe('protocols', () => {
  it('every field counts, the order of keys does not', () => {
    const changes: Partial<Protocol>[] = [
      { name: 'x' }, { textSha256: 'c' }, { tokenizerSha256: 'c' }, { windowLength: 9 }, { bos: 2 }, { scored: { first: 2, last: 7 } }, { scored: { first: 1, last: 6 } }, { maskValue: -50 }, { kernelProfile: 'x' },
    ];
    expect(new Set([protocol, ...changes.map((change) => ({ ...protocol, ...change }))].map(protocolHash)).size).toBe(changes.length + 1);
    expect(protocolHash(Object.fromEntries(Object.entries(protocol).reverse()) as unknown as Protocol)).toBe(protocolHash(protocol));
  });

  it('results under different protocols do not meet in a table', async () => {
    const [a] = await run(source(2, wavy), [['a', source(2, wavy)]]);
    const [b] = await run(source(2, wavy), [['b', source(2, wavy)]], { ...protocol, maskValue: -50 });
    if (a === undefined || b === undefined) throw new RangeError('no results');
    expect(() => requireSameProtocol([a, b])).toThrow(/EVALUATE_PROTOCOL_MISMATCH: a and b were measured under different protocols/);
    expect(() => formatTable([a, b])).toThrow(/EVALUATE_PROTOCOL_MISMATCH/);
    expect(formatTable([a])).toMatchInlineSnapshot(`
      "artifact  perplexity   ratio  mean KL (nat)  median KL (nat)  p99 KL (nat)  max KL (nat)     top-1
      a            61.2397  1.0000              0                0             0             0  100.00 %"
    `);
  });
});

describe('Summary', () => {
  it('takes percentiles by nearest rank, of more rows than fit at first', () => {
    const summary = new Summary();
    for (let i = 3000; i >= 1; i--) summary.add({ teacherNll: 1, studentNll: 2, kl: i, reverseKl: 1, agree: i % 2 === 0 });
    expect(summary.metrics().kl).toEqual({ mean: 1500.5, median: 1500, p99: 2970, max: 3000 });
    expect(summary.metrics()).toMatchObject({ positions: 3000, perplexityRatio: Math.E, top1Agreement: 0.5 });
    expect(new Summary().metrics().perplexity).toBeNaN();
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
