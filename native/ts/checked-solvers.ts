/** Argument checks and outputs in front of raw solvers, for the addon and the TypeScript reference alike. */
import { check, checkLength, checkSizes, threadCount } from './argument-checks.js';
import type { RawSolvers, ScaleGrid, Solvers, WeightMatrix } from './solvers.js';

/** Columns of a block whose scale is searched. */
const LARGEST_SEARCHED_BLOCK = 256;

export function checkedSolvers(raw: RawSolvers): Solvers {
  return {
    roundToGrid(matrix, grid) {
      const { w, n, k } = checkMatrix('roundToGrid', matrix);
      checkGrid('roundToGrid', grid, n, k);
      const codes = new Int8Array(n * k);
      raw.roundToGrid(w, n, k, grid.scale, grid.block, grid.bits, codes, threadCount('roundToGrid', matrix.threads));
      return codes;
    },
    valuesOnGrid(codes, { scale, block }, threads, out = new Float32Array(codes.length)) {
      checkBlock('valuesOnGrid', block, codes.length);
      checkLength('valuesOnGrid', 'scale', scale.length, codes.length / block);
      checkLength('valuesOnGrid', 'out', out.length, codes.length);
      raw.valuesOnGrid(codes, scale, block, out, threadCount('valuesOnGrid', threads));
      return out;
    },
    roundWithFeedback(rounding) {
      const kernel = 'roundWithFeedback';
      const { w, n, k } = checkMatrix(kernel, rounding);
      const { grid, order, feedback, residual } = rounding;
      checkGrid(kernel, grid, n, k);
      checkLength(kernel, 'order', order.length, k);
      check(kernel, new Set(order).size === k && order.every((column) => column < k), 'order is not a permutation of the columns');
      checkLength(kernel, 'feedback', feedback.length, k * k);
      if (residual !== undefined) checkLength(kernel, 'residual', residual.length, k * k);
      const codes = new Int8Array(n * k);
      raw.roundWithFeedback(w, n, k, grid.scale, grid.block, grid.bits, order, feedback, residual ?? null, rounding.errorFrom === 'target', codes, threadCount(kernel, rounding.threads));
      return codes;
    },
    descend({ target, n, k, grid, gram, codes, sweeps, threads }) {
      checkSizes('descend', { n, k, sweeps });
      checkLength('descend', 'target', target.length, n * k);
      checkLength('descend', 'codes', codes.length, n * k);
      checkLength('descend', 'gram', gram.length, k * k);
      checkGrid('descend', grid, n, k);
      raw.descend(target, n, k, grid.scale, grid.block, grid.bits, gram, codes, sweeps, threadCount('descend', threads));
    },
    rowLosses(e, gram, n, k, threads) {
      checkSizes('rowLosses', { n, k });
      checkLength('rowLosses', 'e', e.length, n * k);
      checkLength('rowLosses', 'gram', gram.length, k * k);
      const loss = new Float64Array(n);
      raw.rowLosses(e, n, k, gram, loss, threadCount('rowLosses', threads));
      return loss;
    },
    searchLpbq(search) {
      const { w, n, k } = checkMatrix('searchLpbq', search);
      checkSearch('searchLpbq', search.block, k, search.gram);
      check('searchLpbq', search.factors.every((factor) => factor > 0 && factor <= 1), 'factors are above 0 and at most 1');
      const scales = { channelScale: new Float32Array(n), blockScale: new Uint8Array((n * k) / search.block) };
      raw.searchLpbq(w, n, k, search.block, search.gram ?? null, search.factors, scales.blockScale, scales.channelScale, threadCount('searchLpbq', search.threads));
      return scales;
    },
    searchCandidates(search) {
      const kernel = 'searchCandidates';
      const { w, n, k } = checkMatrix(kernel, search);
      const { block, bits, gram, linear, start, candidates } = search;
      checkSearch(kernel, block, k, gram);
      checkBits(kernel, bits);
      check(kernel, Number.isInteger(candidates) && candidates >= 1 && candidates <= 256, `candidates is ${candidates}, not in 1..256`);
      if (linear !== undefined) checkLength(kernel, 'linear', linear.length, n * k);
      if (start !== undefined) checkLength(kernel, 'start', start.length, (n * k) / block);
      const scales = { scale: new Float32Array((n * k) / block), chosen: new Uint8Array((n * k) / block) };
      raw.searchCandidates(w, n, k, block, bits, gram ?? null, linear ?? null, start ?? null, candidates, scales.chosen, scales.scale, threadCount(kernel, search.threads));
      return scales;
    },
  };
}

export function checkMatrix(kernel: string, { w, n, k }: WeightMatrix): WeightMatrix {
  checkSizes(kernel, { n, k });
  checkLength(kernel, 'w', w.length, n * k);
  return { w, n, k };
}

export function checkGrid(kernel: string, { scale, block, bits }: ScaleGrid, n: number, k: number): void {
  checkBlock(kernel, block, k);
  checkBits(kernel, bits);
  checkLength(kernel, 'scale', scale.length, (n * k) / block);
}

export function checkBits(kernel: string, bits: number): void {
  check(kernel, Number.isInteger(bits) && bits >= 2 && bits <= 8, `bits is ${bits}, not in 2..8`);
}

export function checkBlock(kernel: string, block: number, k: number): void {
  check(kernel, Number.isInteger(block) && block > 0 && k % block === 0, `block ${block} must divide k = ${k}`);
}

function checkSearch(kernel: string, block: number, k: number, gram: Float32Array | undefined): void {
  checkBlock(kernel, block, k);
  check(kernel, block <= LARGEST_SEARCHED_BLOCK, `block is ${block}, a searched one has at most ${LARGEST_SEARCHED_BLOCK} columns`);
  check(kernel, gram === undefined || gram.length === k || gram.length === k * block, `gram has ${gram?.length} elements; ${k} and ${k * block} are known`);
}
