/** The backward pass of a block against finite differences of a float64 forward pass that is written from the formulas. */
import { hadamardMatrix } from '@tundish/graph';
import { type Kernels, loadKernels, variants } from '@tundish/native';
import { describe, expect, test } from 'vitest';
import { type WeightGradients, backwardBlock, traceBlock } from '../src/forward/block-backward.js';
import { forwardBlock } from '../src/forward/block-forward.js';
import { type BlockShape, type BlockWeights, LINEAR_ROLES, type LinearRole, linearDims } from '../src/forward/block-weights.js';
import { GROUPED, TOKENS, noise, rope, weightsOf } from './small-block.js';

const SHAPES: Readonly<Record<string, BlockShape>> = { 'grouped queries': GROUPED, 'one key for each query': { ...GROUPED, kvHeads: 4 }, 'rotated heads': { ...GROUPED, rotatesHeads: true } };

type Rows = number[][];
const rowsOf = (x: ArrayLike<number>, columns: number): Rows => Array.from({ length: x.length / columns }, (_, row) => Array.from({ length: columns }, (__, c) => x[row * columns + c] as number));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
const times = (x: Rows, w: Rows): Rows => x.map((row) => w.map((column) => dot(row, column)));

/** The block's output in float64. */
function reference(shape: BlockShape, weights: BlockWeights, input: ArrayLike<number>, changed: { readonly role?: LinearRole; readonly weight?: Float64Array } = {}): Rows {
  const norm = (x: Rows, gain: Float32Array): Rows => x.map((row) => row.map((value, c) => (value / Math.sqrt(dot(row, row) / row.length + shape.epsilon)) * (gain[c] as number)));
  const linear = (role: LinearRole, x: Rows): Rows => {
    const { weight, bias } = weights.linears[role];
    return times(x, rowsOf(changed.role === role ? (changed.weight as Float64Array) : weight, linearDims(role, shape).in)).map((row) => row.map((value, c) => value + (bias?.[c] ?? 0)));
  };
  const add = (a: Rows, b: Rows): Rows => a.map((row, t) => row.map((value, c) => value + ((b[t] as number[])[c] as number)));
  const head = (x: Rows, index: number, turn: boolean): Rows => x.map((row, token) => {
    const own = row.slice(index * shape.headDim, (index + 1) * shape.headDim);
    if (!turn) return own;
    const half = shape.headDim / 2;
    const rotated = own.map((value, c) => {
      const [cos, sin] = [rope.cos, rope.sin].map((table) => table[token * half + (c % half)] as number) as [number, number];
      return c < half ? value * cos - (own[c + half] as number) * sin : (own[c - half] as number) * sin + value * cos;
    });
    return shape.rotatesHeads === true ? (times([rotated], rowsOf(hadamardMatrix(shape.headDim), shape.headDim))[0] as number[]) : rotated;
  });

  const x = rowsOf(input, shape.hidden);
  const normed = norm(x, weights.attentionGain);
  const [q, k, v] = (['q_proj', 'k_proj', 'v_proj'] as const).map((role) => linear(role, normed)) as [Rows, Rows, Rows];
  const contexts = Array.from({ length: shape.heads }, (_, index) => {
    const kvHead = Math.floor(index / (shape.heads / shape.kvHeads));
    const [keys, values] = [head(k, kvHead, true), head(v, kvHead, false)];
    return head(q, index, true).map((query, token) => {
      const seen = keys.slice(0, token + 1).map((key) => Math.exp(dot(query, key) / Math.sqrt(shape.headDim)));
      const sum = seen.reduce((all, value) => all + value, 0);
      return query.map((__, c) => seen.reduce((all, weight, j) => all + (weight / sum) * ((values[j] as number[])[c] as number), 0));
    });
  });
  const middle = add(x, linear('o_proj', x.map((_, token) => contexts.flatMap((context) => context[token] as number[]))));
  const mlpIn = norm(middle, weights.mlpGain);
  const up = linear('up_proj', mlpIn);
  const gated = linear('gate_proj', mlpIn).map((row, t) => row.map((a, c) => (a / (1 + Math.exp(-a))) * ((up[t] as number[])[c] as number)));
  return add(middle, linear('down_proj', gated));
}

const zeros = (shape: BlockShape): WeightGradients => Object.fromEntries(LINEAR_ROLES.map((role) => [role, new Float32Array(linearDims(role, shape).out * linearDims(role, shape).in)])) as unknown as WeightGradients;

/** Largest difference, relative to the largest element. */
function distance(actual: Float32Array, expected: readonly number[]): number {
  const size = Math.max(...expected.map(Math.abs));
  expect(actual.length).toBe(expected.length);
  expect(size).toBeGreaterThan(0.01);
  return Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] as number)))) / size;
}

describe.each(Object.entries(SHAPES))('%s', (_, shape) => {
  test.each([false, true])('every weight and the input have the gradient that finite differences show, with biases: %s', (biases) => {
    const weights = weightsOf(shape, biases);
    const x = noise(30, TOKENS * shape.hidden);
    const direction = noise(31, TOKENS * shape.hidden);
    const context = { kernels: loadKernels(), shape, threads: 2 };
    const sums = zeros(shape);
    const dx = backwardBlock(context, weights, rope, traceBlock(context, weights, x, rope), direction, sums);

    const along = (rows: Rows): number => dot(rows.flat(), [...direction]);
    const step = 1e-4;
    const slopes = (values: Float32Array, run: (changed: Float64Array) => Rows): number[] => Array.from(values, (value, i) => {
      const ends = [step, -step].map((move) => {
        const changed = Float64Array.from(values);
        changed[i] = value + move;
        return along(run(changed));
      }) as [number, number];
      return (ends[0] - ends[1]) / (2 * step);
    });
    expect(distance(dx, slopes(x, (changed) => reference(shape, weights, changed))), 'input').toBeLessThan(3e-6);
    for (const role of LINEAR_ROLES) {
      expect(distance(sums[role], slopes(weights.linears[role].weight, (weight) => reference(shape, weights, x, { role, weight }))), role).toBeLessThan(3e-6);
    }
  });
});

test('the trace ends in what the forward pass gives, and gradients add up over windows', () => {
  const weights = weightsOf(GROUPED, true);
  const context = { kernels: loadKernels(), shape: GROUPED, threads: 2 };
  const [x, direction] = [noise(30, TOKENS * GROUPED.hidden), noise(31, TOKENS * GROUPED.hidden)];
  expect(traceBlock(context, weights, x, rope).output).toEqual(forwardBlock(context, weights, x, rope));
  const [once, twice] = [zeros(GROUPED), zeros(GROUPED)];
  for (const sums of [once, twice, twice]) backwardBlock(context, weights, rope, traceBlock(context, weights, x, rope), direction, sums);
  for (const role of LINEAR_ROLES) expect(distance(twice[role], Array.from(once[role], (value) => 2 * value))).toBeLessThan(1e-6);
});

test('has the same bytes from every variant, thread count and implementation', () => {
  const shape = SHAPES['rotated heads'] as BlockShape;
  const weights = weightsOf(shape, true);
  const run = (kernels: Kernels, threads: number): readonly Float32Array[] => {
    const context = { kernels, shape, threads };
    const sums = zeros(shape);
    const dx = backwardBlock(context, weights, rope, traceBlock(context, weights, noise(30, TOKENS * shape.hidden), rope), noise(31, TOKENS * shape.hidden), sums);
    return [dx, ...Object.values(sums)];
  };
  const expected = run(loadKernels({ allow: 'typescript' }), 1);
  for (const isa of variants()) for (const threads of [1, 2]) expect(run(loadKernels({ allow: 'native', isa }), threads)).toEqual(expected);
});
