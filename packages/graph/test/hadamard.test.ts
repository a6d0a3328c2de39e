/** Hadamard matrices are orthogonal, and rotations of parameters are products with them, rounded once. */
import { describe, expect, test } from 'vitest';
import { rotateGroups } from '../src/hadamard/rotate-groups.js';
import { type Attribute, DataType as T, Graph, type Hadamard, type Rotation, type Tensor, addRotation, bytesOf, evaluateParameter, floatTensor, hadamard, hadamardTensor, inlineTensor, isHadamardTensor, matchProjection, rowsTogether } from '../src/index.js';

/** H as rows of numbers, from its definition. */
function dense({ size, order, core, sylvester }: Hadamard): number[][] {
  const bits = (i: number): number => (i === 0 ? 0 : (i & 1) + bits(i >> 1));
  const entry = (i: number, j: number): number => (core[Math.floor(i / sylvester) * order + Math.floor(j / sylvester)] as number) * (bits((i % sylvester) & (j % sylvester)) % 2 === 0 ? 1 : -1);
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_entry, j) => entry(i, j)));
}

/** M Mᵀ = n I: two rows of +1 and -1 are orthogonal when they differ in half of their places. */
function isOrthogonal(rows: readonly ArrayLike<number>[]): boolean {
  const words = Math.ceil(rows.length / 32);
  const bits = new Int32Array(rows.length * words);
  rows.forEach((row, i) => Array.from(row).forEach((entry, k) => ((bits[i * words + (k >> 5)] as number) |= entry < 0 ? 1 << (k & 31) : 0)));
  return rows.every((_, i) => {
    for (let j = 0; j < i; j++) {
      let differing = 0;
      for (let k = 0; k < words; k++) differing += ones((bits[i * words + k] as number) ^ (bits[j * words + k] as number));
      if (2 * differing !== rows.length) return false;
    }
    return true;
  });
}

function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Sizes up to 600 that are multiples of four and have neither Sylvester's nor one of Paley's constructions at any power of two. */
const WITHOUT = [52, 92, 100, 116, 156, 172, 184, 188, 232, 236, 244, 260, 268, 292, 324, 340, 344, 356, 372, 376, 404, 412, 428, 436, 452, 472, 476, 508, 520, 532, 536, 580, 584, 596];

describe('a Hadamard matrix', () => {
  test('exists for 1, 2 and the multiples of four up to 600 but for some, and its rows are orthogonal', () => {
    const missing: number[] = [];
    for (let size = 1; size <= 600; size++) {
      let matrix: Hadamard;
      try {
        matrix = hadamard(size);
      } catch (error) {
        expect(error).toMatchObject({ code: 'GRAPH_HADAMARD', message: expect.stringContaining(`size ${size}`) });
        if (size % 4 === 0) missing.push(size);
        continue;
      }
      expect([matrix.size, matrix.order * matrix.sylvester], `${size}`).toEqual([size, size]);
      expect(matrix.core.every((entry) => Math.abs(entry) === 1), `${size}`).toBe(true);
      // Core and Sylvester matrices are orthogonal, so that their Kronecker product is; the smaller ones are multiplied out.
      const { core, order, sylvester } = matrix;
      if (sylvester === 1 || order === 1) expect(isOrthogonal(Array.from({ length: order }, (_, i) => core.subarray(i * order, (i + 1) * order))), `${size}`).toBe(true);
      if (size <= 144) expect(isOrthogonal(dense(matrix)), `${size}`).toBe(true);
    }
    expect(missing).toEqual(WITHOUT);
  });

  test.each([
    [576, 36], [192, 12], [2048, 1], [3072, 12], [256, 1], [32, 1], [64, 1], [128, 1], [80, 20], [96, 12], [896, 28], [1536, 12], [2304, 36], [2560, 20], [2880, 180], [3584, 28], [4096, 1], [5120, 20], [8960, 140], [18944, 148],
  ])('of size %i has a core of %i', (size, order) => {
    expect(hadamard(size)).toMatchObject({ size, order });
  });

  test.each([0, 3, 44.5, NaN, 11008, 172])('of size %s is refused by name', (size) => {
    expect(() => hadamard(size)).toThrow(expect.objectContaining({ code: 'GRAPH_HADAMARD', message: expect.stringContaining(String(size)) }));
  });

  test('as a tensor is recognised, and nothing else is', () => {
    for (const size of [2, 12, 64]) expect(isHadamardTensor(hadamardTensor(size))).toBe(true);
    expect(isHadamardTensor(floatTensor([1, 0, 0, 1], [2, 2]))).toBe(false);
    expect(isHadamardTensor(floatTensor([0.5, 0.5, 0.5, 0.5], [4]))).toBe(false);
    expect(isHadamardTensor({ kind: 'external', dtype: T.FLOAT, dims: [2, 2], location: 'w', offset: 0, length: 16 })).toBe(false);
  });
});

const read = (tensor: Tensor): Uint8Array => (tensor.kind === 'inline' ? tensor.data : expect.fail('inline tensors only'));
const values = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.fround(Math.sin(1 + 7.3 * i)));

/** v H / √n of every group, summed in float64 in the order of the definition. */
function expectedGroups(x: ArrayLike<number>, [rows, columns]: readonly [number, number], { axis, size }: Rotation): number[] {
  const h = dense(hadamard(size));
  return Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    const place = axis === 0 ? row : column;
    const start = place - (place % size);
    let sum = 0;
    for (let i = 0; i < size; i++) sum += (h[i]?.[place - start] as number) * (x[axis === 0 ? (start + i) * columns + column : row * columns + start + i] as number);
    return sum / Math.sqrt(size);
  });
}

describe('rotateGroups', () => {
  test.each<[readonly [number, number], Rotation]>([
    [[3, 24], { axis: 1, size: 12 }], [[5, 64], { axis: 1, size: 64 }], [[40, 7], { axis: 0, size: 20 }], [[72, 150], { axis: 0, size: 72 }], [[16, 3], { axis: 0, size: 8 }],
  ])('%j by %j is the product of the definition', (dims, rotation) => {
    const x = Float64Array.from(values(dims[0] * dims[1]));
    const expected = expectedGroups(x, dims, rotation);
    rotateGroups(hadamard(rotation.size), x, x, rotation.axis === 0 ? dims[1] : 1);
    x.forEach((value, i) => expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-14));
  });
});

/** Cast(W) * gain, rotated along its columns in the groups of `inner`, then along its rows in those of `outer`. */
function rotated(rows: number, columns: number, inner: number, outer: number) {
  const graph = new Graph('rotated');
  const weight = graph.addInitializer('w', inlineTensor(T.BFLOAT16, [rows, columns], bytesOf(Uint16Array.from(values(rows * columns), (value) => new Uint32Array(Float32Array.of(value).buffer)[0] as number >>> 16))));
  const to: Record<string, Attribute> = { to: { type: 'int', value: T.FLOAT } };
  const gain = graph.addInitializer('gain', floatTensor(values(columns)));
  const wide = graph.addNode({ opType: 'Cast', inputs: [weight], attributes: to }).output();
  const product = graph.addNode({ opType: 'Mul', inputs: [wide, gain] }).output();
  for (const value of [wide, product]) [value.dtype, value.shape] = [T.FLOAT, [rows, columns]];
  const root = addRotation(graph, addRotation(graph, product, { axis: 1, size: inner }, 'inner'), { axis: 0, size: outer }, 'outer');
  return { graph, root, wide };
}

describe('a rotated parameter', () => {
  test('is computed in float64 and rounded once', () => {
    const { root, wide } = rotated(8, 24, 12, 8);
    const gain = values(24);
    const exact = Array.from(evaluateParameter(wide, read), (value, i) => value * (gain[i % 24] as number));
    const expected = expectedGroups(expectedGroups(exact, [8, 24], { axis: 1, size: 12 }), [8, 24], { axis: 0, size: 8 });
    const ours = evaluateParameter(root, read);
    const ulp = (value: number): number => 2 ** (Math.floor(Math.log2(Math.abs(value))) - 23);
    // Sums in another order may land on the other side of a rounding boundary: half a unit, and a little.
    ours.forEach((value, i) => expect(Math.abs(value - (expected[i] as number))).toBeLessThan(0.500001 * ulp(value)));
  });

  test.each([[8, 8], [12, 4], [24, 12]])('of %i rows in groups of %i has the same rows when some are read', (rows, outer) => {
    const { root } = rotated(rows, 12, 4, outer);
    const whole = evaluateParameter(root, read);
    expect(rowsTogether(root)).toBe(outer);
    for (const [from, to] of [[0, rows], [1, 3], [rows - 5, rows], [3, 3]] as const) expect(evaluateParameter(root, read, { from, to })).toEqual(whole.slice(12 * from, 12 * to));
  });

  test('reads the bytes of whole groups, and no more', () => {
    const { root } = rotated(24, 12, 4, 4);
    const asked: number[] = [];
    evaluateParameter(root, (tensor) => (asked.push(read(tensor).length), read(tensor)), { from: 5, to: 6 });
    expect(asked).toEqual([4 * 12 * 2, 12 * 4]);
  });

  test('is the parameter of a projection', () => {
    const { graph, root } = rotated(8, 12, 4, 4);
    const perm: Record<string, Attribute> = { perm: { type: 'ints', value: [1, 0] } };
    const transpose = graph.addNode({ opType: 'Transpose', inputs: [root], attributes: perm });
    const matmul = graph.addNode({ opType: 'MatMul', inputs: [graph.addInput('x', T.FLOAT, [1, 12]), transpose.output()] });
    expect(matchProjection(matmul)).toMatchObject({ weight: { name: 'w' }, parameter: { name: root.name } });
  });

  test('has light tails where the weight has heavy ones, and the norm of the weight', () => {
    const graph = new Graph('heavy');
    const [rows, columns] = [96, 192];
    // Cubes of roughly normal values, and a few columns that are 20 times as large.
    const heavy = Float32Array.from({ length: rows * columns }, (_, i) => ([1, 2, 3, 4].reduce((sum, k) => sum + Math.sin((i + 1) * (k + 0.618) * 12.9898) , 0) / 2) ** 3 * (i % 48 === 7 ? 20 : 1));
    const weight = graph.addInitializer('w', floatTensor(heavy, [rows, columns]));
    const turned = evaluateParameter(addRotation(graph, weight, { axis: 1, size: columns }, 'turned'), read);
    const moment = (x: Float32Array, power: number): number => x.reduce((sum, value) => sum + value ** power, 0) / x.length;
    const kurtosis = (x: Float32Array): number => moment(x, 4) / moment(x, 2) ** 2;
    expect(kurtosis(heavy)).toBeGreaterThan(100);
    expect(kurtosis(turned)).toBeLessThan(5);
    expect(moment(turned, 2) / moment(heavy, 2)).toBeCloseTo(1, 6);
  });
});
