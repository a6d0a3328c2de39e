/** A rotation that is lowered as a whole has the codes of its separate operations, to the last bit. */
import { describe, expect, it } from 'vitest';
import { DataType, type Encodings, type Graph, type Model, type PerTensorEncoding, type Value, int64Tensor } from '@tundish/graph';
import { lowerModel } from '../src/lowering/lower-graph.js';
import { hostReference } from '../src/index.js';
import { modelOf, seeded } from './small-graph.js';

const [HEADS, AR, WIDTH] = [6, 5, 8];
const axis = (value: number): Record<string, { type: 'int'; value: number }> => ({ axis: { type: 'int', value } });

/** `swapped` writes the sum the other way round: the same numbers, and no pattern that lowering knows. */
function rotation(swapped: boolean): Model {
  return modelOf((graph) => {
    const x = graph.addInput('x', DataType.FLOAT, [2, HEADS / 2, AR, WIDTH]);
    const [cos, sin] = ['cos', 'sin'].map((name) => graph.addInput(name, DataType.FLOAT, [1, 1, AR, WIDTH / 2])) as [Value, Value];
    const halves = graph.addInitializer('halves', int64Tensor([WIDTH / 2, WIDTH / 2]));
    const [x1, x2] = graph.addNode({ opType: 'Split', inputs: [x, halves], outputs: ['x1', 'x2'], attributes: axis(3) }).outputs as [Value, Value];
    const emit = (opType: string, name: string, inputs: Value[]): Value => graph.addNode({ opType, inputs, outputs: [name], attributes: opType === 'Concat' ? axis(3) : {} }).output();
    const products = { a: [x1, cos], b: [x2, sin], c: [x1, sin], d: [x2, cos] } as const;
    const { a, b, c, d } = Object.fromEntries(Object.entries(products).map(([name, inputs]) => [name, emit('Mul', name, [...inputs])])) as Record<'a' | 'b' | 'c' | 'd', Value>;
    const joined = emit('Concat', 'joined', [emit('Sub', 'real', [a, b]), emit('Add', 'imaginary', swapped ? [d, c] : [c, d])]);
    graph.outputs.push(square(graph, joined));
  });
}

/** Something that computes with the result, so that it is no output itself. */
function square(graph: Graph, value: Value): Value {
  return graph.addNode({ opType: 'Mul', inputs: [value, value], outputs: ['y'] }).output();
}

/** Grids as calibration gives them: all different, off centre, and some too small for the largest values. */
function encodings(shift: number): Encodings {
  const grid = (range: number, zeroPoint: number): PerTensorEncoding => ({ kind: 'per-tensor', dtype: 'uint16', scale: Math.fround(range / 65_535), zeroPoint, symmetric: false });
  const out = grid(3.5, 32_000 + shift);
  return {
    activations: new Map([
      ['x', grid(4, 30_000)], ['x1', grid(4, 30_000)], ['x2', grid(4, 30_000)], ['cos', grid(2, 32_768)], ['sin', grid(2, 32_767)],
      ['a', grid(3.1, 31_111)], ['b', grid(2.3, 40_000 - shift)], ['c', grid(1.9, 20_001)], ['d', grid(3.3, 33_333)], ['real', out], ['imaginary', out], ['joined', out], ['y', grid(9, 0)],
    ]),
    parameters: new Map(),
  };
}

async function codesOf(model: Model, grids: Encodings): Promise<{ codes: Uint16Array; ops: string[] }> {
  const { model: lowered } = lowerModel(model, grids, 'g', true);
  const random = seeded(11);
  const codes = (length: number): Uint16Array => Uint16Array.from({ length }, () => Math.floor(random() * 65_536));
  const feeds = new Map([['x', codes(HEADS * AR * WIDTH)], ['cos', codes(AR * WIDTH / 2)], ['sin', codes(AR * WIDTH / 2)]]);
  const opened = await hostReference().open({ model: lowered, resolve: (location) => location, threads: 1 });
  const result = (await opened.run(feeds).finally(() => opened.close())).get('y') as Uint16Array;
  return { codes: result, ops: lowered.graph.nodes.map(({ opType }) => opType) };
}

describe('rotary embedding', () => {
  it.each([0, 1, 517])('has the codes of the separate operations (grids shifted by %i)', async (shift) => {
    const [whole, separate] = [await codesOf(rotation(false), encodings(shift)), await codesOf(rotation(true), encodings(shift))];
    expect(new Set(whole.codes).size).toBeGreaterThan(100);
    expect(whole.codes).toEqual(separate.codes);
    const count = (ops: readonly string[], opType: string): number => ops.filter((op) => op === opType).length;
    expect([count(whole.ops, 'QuantizeLinear'), count(separate.ops, 'QuantizeLinear')]).toEqual([3, 7]);
    expect([count(whole.ops, 'Sub'), count(separate.ops, 'Sub')]).toEqual([0, 1]);
  });

  it('is left as it is where a product has no grid of 16 bits, or the halves differ', async () => {
    const eight = encodings(0);
    const activations = new Map(eight.activations).set('b', { kind: 'per-tensor', dtype: 'uint8', scale: 0.01, zeroPoint: 128, symmetric: true });
    expect((await codesOf(rotation(false), { ...eight, activations })).ops).toContain('Sub');
    const uneven = new Map(eight.activations).set('real', { kind: 'per-tensor', dtype: 'uint16', scale: 0.0001, zeroPoint: 32_000, symmetric: false });
    expect((await codesOf(rotation(false), { ...eight, activations: uneven })).ops).toContain('Sub');
  });
});
