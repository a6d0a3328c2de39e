/** A cache whose heads have scales of their own crosses the boundary as codes, each on its grid. */
import { describe, expect, it } from 'vitest';
import { DataType, type Model, type PerTensorEncoding } from '@tundish/graph';
import { hostReference, hostToolchain } from '../src/index.js';
import { lowerModel } from '../src/lowering/lower-graph.js';
import { context, encodingsOf, modelOf, roundHalfEven, uint16 } from './small-graph.js';

const axis = { axis: { type: 'int', value: 0 } } as const;
const HEADS = [0, 1] as const;

/** The past is cut into heads, read by a product each; new keys are joined. */
const single = (): Model => modelOf((graph) => {
  const past = graph.addInput('past_key_0_in', DataType.FLOAT, [2, 1, 4, 3]);
  const cut = graph.addNode({ opType: 'Split', name: 'cut', inputs: [past], outputs: HEADS.map((i) => `past_key_0_in_sha_${i}`), attributes: { ...axis, num_outputs: { type: 'int', value: 2 } } });
  const fresh = HEADS.map((i) => {
    const q = graph.addInput(`q${i}`, DataType.FLOAT, [1, 1, 2, 4]);
    graph.outputs.push(graph.addNode({ opType: 'MatMul', name: `p${i}`, inputs: [q, cut.output(i)], outputs: [`y${i}`] }).output());
    return graph.addNode({ opType: 'Transpose', name: `t${i}`, inputs: [q], outputs: [`past_key_0_out_sha_${i}`], attributes: { perm: { type: 'ints', value: [0, 1, 3, 2] } } }).output();
  });
  graph.outputs.push(graph.addNode({ opType: 'Concat', name: 'join', inputs: fresh, outputs: ['past_key_0_out'], attributes: axis }).output());
});

const scales = [Math.fround(0.05), Math.fround(0.004)];
const head = (i: number): PerTensorEncoding => ({ kind: 'per-tensor', dtype: 'uint8', scale: scales[i] as number, zeroPoint: 128, symmetric: true });
const whole: PerTensorEncoding = { ...head(0), headScales: scales };
const grids = { q0: uint16(1 / 5000), q1: uint16(1 / 50_000), y0: uint16(1 / 1000), y1: uint16(1 / 10_000) };
const encodings = encodingsOf({
  ...grids, past_key_0_in: whole, past_key_0_out: whole,
  ...Object.fromEntries(HEADS.flatMap((i) => [[`past_key_0_in_sha_${i}`, head(i)], [`past_key_0_out_sha_${i}`, head(i)]])),
});

describe('a cache that is cut into heads', () => {
  it('is read as the codes of each head, and written as such', async () => {
    const { model } = lowerModel(single(), encodings, 'g', true);
    const past = Uint8Array.from({ length: 24 }, (_, i) => (i * 53) % 256);
    const q = HEADS.map((h) => Uint16Array.from({ length: 8 }, (_, i) => 20_000 + ((i * 7919 + h * 31) % 25_000)));
    const opened = await hostReference().open({ model, resolve: (location) => location, threads: 1 });
    const found = await opened.run(new Map<string, Uint8Array | Uint16Array>([['past_key_0_in', past], ...q.map((codes, i) => [`q${i}`, codes] as const)])).finally(() => opened.close());
    for (const h of HEADS) {
      const [grid, y] = [grids[`q${h}`], grids[`y${h}`]];
      const real = (m: number, k: number): number => (((q[h] as Uint16Array)[m * 4 + k] as number) - grid.zeroPoint) * grid.scale;
      const products = Array.from({ length: 6 }, (_, i) => {
        const sum = [0, 1, 2, 3].reduce((total, k) => total + real(Math.floor(i / 3), k) * ((past[h * 12 + k * 3 + (i % 3)] as number) - 128) * (scales[h] as number), 0);
        return Math.min(65_535, Math.max(0, roundHalfEven(sum / y.scale) + y.zeroPoint));
      });
      expect([...(found.get(`y${h}`) as Uint16Array)]).toEqual(products);
      const keys = Array.from({ length: 8 }, (_, i) => Math.min(255, Math.max(0, roundHalfEven(real(i % 2, Math.floor(i / 2)) / (scales[h] as number)) + 128)));
      expect([...(found.get('past_key_0_out') as Uint8Array).slice(h * 8, h * 8 + 8)]).toEqual(keys);
    }
  });

  it('is described with the scale of each head at the boundary', async () => {
    const { io } = await hostToolchain().convert(context(), { cell: { ar: 1, cl: 2, part: 1, parts: 1 }, model: single(), encodings, options: {} });
    for (const tensor of [...io.inputs, ...io.outputs].filter(({ name }) => name.startsWith('past'))) expect(tensor.quantization).toEqual({ scale: scales[0], zeroPoint: 128, headScales: scales });
  });

  it('is refused when a head is on another grid than the whole says', () => {
    const other = encodingsOf({ ...Object.fromEntries(encodings.activations), past_key_0_out_sha_1: head(0) });
    expect(() => lowerModel(single(), other, 'g', true)).toThrow(expect.objectContaining({ code: 'HOST_KV_ENCODING' }));
  });
});

it('a cache that stays whole has the scale of its widest head', () => {
  const model = modelOf((graph) => {
    const past = graph.addInput('past_key_0_in', DataType.FLOAT, [2, 1, 4, 3]);
    const q = graph.addInput('q0', DataType.FLOAT, [2, 1, 2, 4]);
    graph.outputs.push(graph.addNode({ opType: 'MatMul', name: 'p', inputs: [q, past], outputs: ['y0'] }).output());
  });
  const { boundary } = lowerModel(model, encodingsOf({ q0: grids.q0, y0: grids.y0, past_key_0_in: whole }), 'g', true);
  expect(boundary.get('past_key_0_in')).toEqual(head(0));
});
