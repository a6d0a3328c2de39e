/** Every way through the engine equals the full recomputation of the same tokens, to the last bit. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../src/engine.js';
import { TINY_MODEL, recompute, tinyParts, tokensOf } from './tiny-transformer.js';
import type { TinyOptions } from './tiny-transformer.js';

const AR = 4;
const CAPACITY = 24 - 1;
const base: TinyOptions = { ars: [1, AR], contextLengths: [10, 24], parts: [['embed', 'layer0'], ['layer1', 'head']], quantized: false };
const variants: Record<string, TinyOptions> = {
  'float, two parts': base,
  'quantized, two parts': { ...base, quantized: true },
  'quantized, embedding and head alone': { ...base, quantized: true, parts: [['embed'], ['layer0', 'layer1'], ['head']] },
  'half floats, two parts': { ...base, quantized: 'half' },
  'float, three ARs and CLs': { ...base, ars: [1, 2, AR], contextLengths: [7, 10, 24], parts: [['embed', 'layer0', 'layer1', 'head']] },
};

describe.each(Object.entries(variants))('%s', (_, options) => {
  const all = tokensOf(CAPACITY);
  const expected = recompute(all, options);
  const engineOf = (): Engine => new Engine(tinyParts(options), TINY_MODEL);

  // 1, AR-1, AR, AR+1, around CL_small - AR, CL_small - 1 and CL_small, and the end of the largest CL.
  it.each([1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 19, 20, 21, 22, CAPACITY])('prefill of %i tokens, then steps to the capacity', async (length) => {
    const engine = engineOf();
    expect(await engine.prefill(all.slice(0, length))).toEqual(expected[length - 1]);
    for (let i = length; i < CAPACITY; i++) expect(await engine.step(all[i] as number)).toEqual(expected[i]);
    expect(engine.position).toBe(CAPACITY);
  });

  it('steps from an empty cache', async () => {
    const engine = engineOf();
    for (const [i, id] of all.entries()) expect(await engine.step(id)).toEqual(expected[i]);
  });

  it('scores every row', async () => {
    const engine = engineOf();
    const rows: number[] = [];
    for await (const block of engine.score(all)) rows.push(...block);
    expect(rows).toEqual(expected.flatMap((row) => [...row]));
  });

  it.each([[3, 2, 6], [5, 1, 9], [8, 4, 3], [1, 6, 13], [13, 7, 3], [2, 19, 2]])('turns: prefill %i, step %i times, prefill %i', async (first, steps, second) => {
    const engine = engineOf();
    await engine.prefill(all.slice(0, first));
    for (let i = first; i < first + steps; i++) await engine.step(all[i] as number);
    const end = first + steps + second;
    expect(await engine.prefill(all.slice(first + steps, end))).toEqual(expected[end - 1]);
    if (end < CAPACITY) expect(await engine.step(all[end] as number)).toEqual(expected[end]);
  });

  it('reset and rewind forget exactly what they say', async () => {
    const engine = engineOf();
    await engine.prefill(tokensOf(CAPACITY, 2));
    expect(engine.contextLength).toBe(24);
    engine.reset();
    expect([engine.position, engine.contextLength]).toEqual([0, options.contextLengths[0]]);
    await engine.prefill([...all.slice(0, 9), 1, 2, 3]);
    engine.rewind(9);
    expect(await engine.prefill(all.slice(9, 14))).toEqual(expected[13]);
  });
});

describe('what the graphs are given', () => {
  it('mask, positions, pad tokens and an empty cache are exact', async () => {
    const seen: Record<string, number[]>[] = [];
    const options: TinyOptions = { ...base, spy: (io, inputs) => io.cell.part === 1 && seen.push(Object.fromEntries([...inputs].map(([name, data]) => [name, [...data]]))) };
    const engine = new Engine(tinyParts(options), TINY_MODEL);
    await engine.prefill([5, 6]);
    const [pass] = seen;
    expect(pass?.['input_ids']).toEqual([5, 6, 3, 3]);
    const m = -1e4;
    const row = (visible: number): number[] => [m, m, m, m, m, m, ...Array.from({ length: 4 }, (_, i) => (i < visible ? 0 : m))];
    expect(pass?.['attention_mask']).toEqual([...row(1), ...row(2), ...row(0), ...row(0)]);
    expect(pass?.['position_ids_sin']).toEqual([0, 0, Math.fround(Math.sin(1)), Math.fround(Math.sin(0.25)), 0, 0, 0, 0]);
    expect(pass?.['position_ids_cos']?.slice(4)).toEqual([1, 1, 1, 1]);
    expect(pass?.['past_key_0_in']).toEqual(new Array(2 * 4 * 6).fill(0));
  });

  it('columns without a token hold the code of zero after growing and shrinking', async () => {
    let worst = 0;
    const options: TinyOptions = {
      ...base,
      quantized: true,
      spy: (io, inputs) => {
        const past = io.cell.cl - io.cell.ar;
        const key = inputs.get(`past_key_${io.cell.part - 1}_in`);
        key?.forEach((code, i) => i % past >= engine.position && code !== 128 && worst++);
      },
    };
    const engine: Engine = new Engine(tinyParts(options), TINY_MODEL);
    await engine.prefill(tokensOf(5));
    await engine.step(1);
    await engine.prefill(tokensOf(10));
    await engine.step(1);
    engine.rewind(4);
    await engine.prefill(tokensOf(3));
    expect(worst).toBe(0);
  });

  it('AR and CL follow the rule: largest AR to read, smallest to write, the smallest CL with room', async () => {
    const names: string[] = [];
    const options: TinyOptions = { ...base, spy: (io, _, outputs) => io.cell.part === 2 && names.push(`${io.name.slice(0, -7)} ${outputs.includes('logits')}`) };
    const engine = new Engine(tinyParts(options), TINY_MODEL);
    await engine.prefill(tokensOf(6));
    await engine.step(0);
    await engine.step(0);
    await engine.step(0);
    await engine.step(0);
    await engine.prefill(tokensOf(12));
    expect(names).toEqual([
      'ar4_cl10 false', 'ar4_cl10 true', 'ar1_cl10 true', 'ar1_cl10 true', 'ar1_cl10 true', 'ar1_cl24 true', 'ar4_cl24 false', 'ar4_cl24 false', 'ar4_cl24 true',
    ]);
  });

  it('does not go back to a smaller CL before a reset', async () => {
    const engine = new Engine(tinyParts(base), TINY_MODEL);
    await engine.prefill(tokensOf(12));
    engine.rewind(2);
    await engine.step(1);
    expect(engine.contextLength).toBe(24);
    engine.reset();
    await engine.step(1);
    expect(engine.contextLength).toBe(10);
  });

  it('skips a part that only makes logits until the last chunk', async () => {
    const parts: number[] = [];
    const options: TinyOptions = { ...base, parts: [['embed'], ['layer0', 'layer1'], ['head']], spy: (io) => parts.push(io.cell.part) };
    await new Engine(tinyParts(options), TINY_MODEL).prefill(tokensOf(5));
    expect(parts).toEqual([1, 2, 1, 2, 3]);
  });
});

describe('refusals', () => {
  const engineOf = (): Engine => new Engine(tinyParts(base), TINY_MODEL);
  const code = async (work: () => unknown): Promise<unknown> => {
    try {
      await work();
      return 'none';
    } catch (error) {
      return (error as { code?: unknown }).code;
    }
  };

  it('refuses what does not fit before anything runs', async () => {
    const engine = engineOf();
    expect(await code(() => engine.prefill(tokensOf(CAPACITY + 1)))).toBe('RUNTIME_CAPACITY');
    expect(await code(() => engine.prefill([]))).toBe('RUNTIME_PROMPT_EMPTY');
    expect(await code(() => engine.prefill([1, 13]))).toBe('RUNTIME_TOKEN_OUT_OF_RANGE');
    expect(await code(() => engine.step(-1))).toBe('RUNTIME_TOKEN_OUT_OF_RANGE');
    expect(engine.position).toBe(0);
    await engine.prefill(tokensOf(CAPACITY));
    expect(await code(() => engine.step(1))).toBe('RUNTIME_CAPACITY');
    expect(await code(() => engine.rewind(CAPACITY + 1))).toBe('RUNTIME_POSITION_INVALID');
  });

  it('refuses a second call while one runs', async () => {
    const engine = engineOf();
    const first = engine.prefill(tokensOf(9));
    expect(await code(() => engine.step(1))).toBe('RUNTIME_BUSY');
    expect(await first).toEqual(recompute(tokensOf(9), base)[8]);
  });

  it('stops between chunks on a signal, with a whole cache', async () => {
    const controller = new AbortController();
    let calls = 0;
    const engine = new Engine(tinyParts({ ...base, spy: () => ++calls === 4 && controller.abort(new Error('enough')) }), TINY_MODEL);
    await expect(engine.prefill(tokensOf(20), controller.signal)).rejects.toThrow('enough');
    expect(engine.position).toBe(8);
    expect(await engine.prefill(tokensOf(20).slice(8))).toEqual(recompute(tokensOf(20), base)[19]);
  });

  it('keeps its state when a part fails', async () => {
    let calls = 0;
    const options: TinyOptions = {
      ...base,
      spy: () => {
        if (++calls === 4) throw new RangeError('part 2 fails');
      },
    };
    const engine = new Engine(tinyParts(options), TINY_MODEL);
    await expect(engine.prefill(tokensOf(12))).rejects.toThrow('part 2 fails');
    expect(await engine.prefill(tokensOf(12).slice(engine.position))).toEqual(recompute(tokensOf(12), base)[11]);
  });
});
