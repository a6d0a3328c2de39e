/** Puts argument checks in front of raw algebra, so that both implementations refuse the same calls. */
import { type Algebra, type Products, ROUNDED_BLOCK, type RawAlgebra, type RawProducts } from './algebra.js';
import { check, checkApart, checkLength, checkSizes, threadCount } from './argument-checks.js';
import { checkGrid } from './checked-solvers.js';

/** Bits that codes may have in `multiplyByCodes`. */
const CODE_BITS = 4;

const readsGrid: Algebra['readsGrid'] = ({ block, bits }) => block % ROUNDED_BLOCK === 0 && bits <= CODE_BITS;

export function checkedAlgebra(raw: RawAlgebra): Algebra {
  return { ...products(raw), int16: products(raw.int16), ...squares(raw) };
}

function products(raw: RawProducts): Products {
  return {
    multiplyInto(out, a, b, { m, n, k, transposeA = false, transposeB = false, accumulate = false }, threads) {
      checkSizes('multiplyInto', { m, n, k });
      checkLength('multiplyInto', 'a', a.length, m * k);
      checkLength('multiplyInto', 'b', b.length, k * n);
      checkLength('multiplyInto', 'out', out.length, m * n);
      for (const read of [a, b]) checkApart('multiplyInto', out, read);
      raw.multiplyInto(out, a, b, m, n, k, transposeA, transposeB, accumulate, threadCount('multiplyInto', threads));
    },
    accumulateGram(gram, x, rows, k, threads) {
      checkSizes('accumulateGram', { rows, k });
      checkLength('accumulateGram', 'x', x.length, rows * k);
      checkLength('accumulateGram', 'gram', gram.length, k * k);
      checkApart('accumulateGram', gram, x);
      raw.accumulateGram(gram, x, rows, k, threadCount('accumulateGram', threads));
    },
    accumulateCross(cross, a, b, rows, n, k, threads) {
      checkSizes('accumulateCross', { rows, n, k });
      checkLength('accumulateCross', 'a', a.length, rows * n);
      checkLength('accumulateCross', 'b', b.length, rows * k);
      checkLength('accumulateCross', 'cross', cross.length, n * k);
      for (const read of [a, b]) checkApart('accumulateCross', cross, read);
      raw.multiplyInto(cross, a, b, n, k, rows, true, false, true, threadCount('accumulateCross', threads));
    },
  };
}

function squares(raw: RawAlgebra): Pick<Algebra, 'accumulateBlocks' | 'multiplyByBlocks' | 'multiplyByCodes' | 'roundBlocks' | 'readsGrid' | 'gather' | 'mirror' | 'cholesky' | 'solveLower'> {
  return {
    accumulateBlocks(blocks, a, b, rows, k, block, threads) {
      checkSizes('accumulateBlocks', { rows, k, block });
      check('accumulateBlocks', block > 0 && k % block === 0, `block ${block} must divide k = ${k}`);
      checkLength('accumulateBlocks', 'a', a.length, rows * k);
      checkLength('accumulateBlocks', 'b', b.length, rows * k);
      checkLength('accumulateBlocks', 'blocks', blocks.length, k * block);
      for (const read of [a, b]) checkApart('accumulateBlocks', blocks, read);
      raw.accumulateBlocks(blocks, a, b, rows, k, block, threadCount('accumulateBlocks', threads));
    },
    multiplyByBlocks(out, a, blocks, n, k, block, threads) {
      checkSizes('multiplyByBlocks', { n, k, block });
      check('multiplyByBlocks', block > 0 && k % block === 0, `block ${block} must divide k = ${k}`);
      checkLength('multiplyByBlocks', 'a', a.length, n * k);
      checkLength('multiplyByBlocks', 'blocks', blocks.length, k * block);
      checkLength('multiplyByBlocks', 'out', out.length, n * k);
      for (const read of [a, blocks]) checkApart('multiplyByBlocks', out, read);
      raw.multiplyByBlocks(out, a, blocks, n, k, block, threadCount('multiplyByBlocks', threads));
    },
    multiplyByCodes(out, x, codes, grid, { m, n, k }, threads) {
      checkSizes('multiplyByCodes', { m, n, k });
      checkGrid('multiplyByCodes', grid, n, k);
      check('multiplyByCodes', readsGrid(grid), `blocks of ${grid.block} codes of ${grid.bits} bits, where at most ${CODE_BITS} bits in multiples of ${ROUNDED_BLOCK} are read`);
      checkLength('multiplyByCodes', 'x', x.length, m * k);
      checkLength('multiplyByCodes', 'codes', codes.length, n * k);
      checkLength('multiplyByCodes', 'out', out.length, m * n);
      for (const read of [x, grid.scale]) checkApart('multiplyByCodes', out, read);
      raw.multiplyByCodes(out, x, codes, grid.scale, grid.block, m, n, k, threadCount('multiplyByCodes', threads));
    },
    roundBlocks(x, codes, scale, threads) {
      check('roundBlocks', x.length % ROUNDED_BLOCK === 0, `x has ${x.length} elements, which is no multiple of ${ROUNDED_BLOCK}`);
      checkLength('roundBlocks', 'codes', codes.length, x.length);
      checkLength('roundBlocks', 'scale', scale.length, x.length / ROUNDED_BLOCK);
      for (const written of [codes, scale]) checkApart('roundBlocks', written, x);
      raw.roundBlocks(codes, scale, x, scale.length, threadCount('roundBlocks', threads));
    },
    readsGrid,
    gather(out, x, { rows, columns }, threads) {
      const k = columns.length;
      const stored = k === 0 ? 0 : x.length / k;
      const count = rows?.length ?? stored;
      check('gather', Number.isInteger(stored), `x has ${x.length} elements, which is no whole number of rows of ${k}`);
      checkLength('gather', 'out', out.length, count * k);
      for (const [places, limit] of [[columns, k], [rows, stored]] as const) check('gather', places?.every((place) => place < limit) ?? true, `rows and columns must be those of x, ${stored} and ${k}`);
      checkApart('gather', out, x);
      raw.gather(out, x, rows ?? null, columns, count, k, threadCount('gather', threads));
    },
    mirror(gram, k) {
      checkSizes('mirror', { k });
      checkLength('mirror', 'gram', gram.length, k * k);
      raw.mirror(gram, k);
    },
    cholesky(a, k, threads) {
      checkSizes('cholesky', { k });
      checkLength('cholesky', 'a', a.length, k * k);
      return raw.cholesky(a, k, threadCount('cholesky', threads));
    },
    solveLower(l, k, b, rows, { transpose = false, threads } = {}) {
      checkSizes('solveLower', { k, rows });
      checkLength('solveLower', 'l', l.length, k * k);
      checkLength('solveLower', 'b', b.length, rows * k);
      checkApart('solveLower', b, l);
      raw.solveLower(l, k, b, rows, transpose, threadCount('solveLower', threads));
    },
  };
}
