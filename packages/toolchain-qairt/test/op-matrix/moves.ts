/** Operations of the matrix that move codes and compute nothing: what comes out went in. */
import { ELEMENT_CODES } from '@tundish/toolchain-qairt';
import type { OneOp, OpGate, OpInput, OpTensor } from './one-op.js';
import { constant, count, gridded, indices, integers, list, scalar, spread, type Width } from './tensors.js';

const { BOOL_8, INT_32 } = ELEMENT_CODES;
const [M, C] = [32, 64];
const DIMS = [1, 1, M, C];
const EXACT: OpGate = { max: 0, bias: 0 };

const given = (width: Width, dims: readonly number[] = DIMS, seed = 1): OpInput => spread(width, dims, -3, 3, seed);
const made = (width: Width, dims: readonly number[] = DIMS): OpTensor => gridded(width, dims, -3, 3);

/** @param source where in the input each element of the output comes from */
function moving(type: string, dims: readonly number[], parameters: OneOp['parameters'], source: (i: number) => number): OneOp {
  return { type, form: 'u16', inputs: [given('u16')], outputs: [made('u16', dims)], ...(parameters === undefined ? {} : { parameters }), gate: EXACT, exact: (x) => [Float64Array.from({ length: count(dims) }, (_, i) => x?.[source(i)] as number)] };
}

const CONCAT: OneOp = {
  type: 'Concat', form: 'u16', inputs: [given('u16'), given('u16', DIMS, 2)], outputs: [made('u16', [1, 1, M, 2 * C])], parameters: [scalar('axis', 3)], gate: EXACT,
  exact: (a, b) => [Float64Array.from({ length: 2 * M * C }, (_, i) => (i % (2 * C) < C ? a : b)?.[Math.floor(i / (2 * C)) * C + (i % C)] as number)],
};

const SPLIT: OneOp = {
  type: 'Split', form: 'u16', inputs: [given('u16')], outputs: [made('u16', [1, 1, M, 16]), made('u16', [1, 1, M, 48])], parameters: [scalar('axis', 3), list('split_index', [1], [16])], gate: EXACT,
  exact: (x) => [[16, 0], [48, 16]].map(([width = 0, from = 0]) => Float64Array.from({ length: M * width }, (_, i) => x?.[Math.floor(i / width) * C + from + (i % width)] as number)),
};

const IDS = integers(M, 0, 99, 4);

function gather(width: Width): OneOp {
  return {
    type: 'Gather', form: `table of ${width}`, inputs: [constant(given(width, [100, C])), indices([1, M], [...IDS])], outputs: [made(width, [1, M, C])], parameters: [scalar('axis', 0, INT_32)], gate: EXACT,
    exact: (table) => [Float64Array.from({ length: M * C }, (_, i) => table?.[(IDS[Math.floor(i / C)] as number) * C + (i % C)] as number)],
  };
}

const ROW = 5;

/** Row 5 of the cache becomes the update. */
function scattered(cache: Float64Array, update: Float64Array): Float64Array {
  return cache.map((value, i) => (Math.floor(i / C) === ROW ? (update[i % C] as number) : value));
}

const SCATTER_ELEMENTS: OneOp = {
  type: 'ScatterElements', form: 'u8', inputs: [given('u8'), indices([1, 1, 1, C], Array<number>(C).fill(ROW)), given('u8', [1, 1, 1, C], 8)], outputs: [made('u8')], parameters: [scalar('axis', 2), scalar('reduction', 0)], gate: EXACT,
  exact: (cache, _ids, update) => [scattered(cache as Float64Array, update as Float64Array)],
};

const SCATTER_ND: OneOp = {
  type: 'ScatterNd', form: 'u8', inputs: [given('u8', [M, C]), indices([1, 1], [ROW]), given('u8', [1, C], 8)], outputs: [made('u8', [M, C])], parameters: [scalar('reduction', 0)], gate: EXACT,
  exact: (cache, _ids, update) => [scattered(cache as Float64Array, update as Float64Array)],
};

const CONDITIONS = Uint8Array.from(integers(M * C, 0, 1, 6));

const SELECT: OneOp = {
  type: 'ElementWiseSelect', form: 'u16', inputs: [{ dims: DIMS, element: BOOL_8, data: CONDITIONS }, given('u16'), given('u16', DIMS, 2)], outputs: [made('u16')], gate: EXACT,
  exact: (_condition, a, b) => [(a as Float64Array).map((value, i) => (CONDITIONS[i] === 1 ? value : (b?.[i] as number)))],
};

const TOP = 4;

const TOP_K: OneOp = {
  type: 'TopK', form: 'u16', inputs: [given('u16')], outputs: [made('u16', [1, 1, M, TOP]), { dims: [1, 1, M, TOP], element: INT_32 }], parameters: [scalar('k', TOP), scalar('largest', 1, BOOL_8)], gate: EXACT,
  exact: (x) => {
    const order = Array.from({ length: M }, (_, m) => Array.from({ length: C }, (__, c) => c).sort((a, b) => (x?.[m * C + b] as number) - (x?.[m * C + a] as number)).slice(0, TOP));
    return [order.flatMap((row, m) => row.map((c) => x?.[m * C + c] as number)), order.flat()];
  },
};

export const MOVES: readonly OneOp[] = [
  moving('Reshape', [1, M, 4, 16], undefined, (i) => i),
  moving('Transpose', [1, 1, C, M], [list('perm', [4], [0, 1, 3, 2])], (i) => (i % M) * C + Math.floor(i / M)),
  moving('StridedSlice', [1, 1, M, 16], [list('ranges', [4, 3], [0, 1, 1, 0, 1, 1, 0, M, 1, 8, 24, 1], true)], (i) => Math.floor(i / 16) * C + 8 + (i % 16)),
  moving('Tile', [1, 1, M, 2 * C], [list('multiples', [4], [1, 1, 1, 2])], (i) => Math.floor(i / (2 * C)) * C + (i % C)),
  CONCAT, SPLIT, gather('u16'), gather('u8'), SCATTER_ELEMENTS, SCATTER_ND, SELECT, TOP_K,
];
