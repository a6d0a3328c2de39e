/** The solvers give the same bytes in every variant and on any number of threads, and keep what their documentation promises. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ScaleGrid, type Solvers, loadKernels, variants } from '../ts/index.js';
import { ensureAddon } from './built-addon.js';
import { generator, sample } from './samples.js';

ensureAddon();
const reference = loadKernels({ allow: 'typescript' }).solvers;
const natives = variants().map((isa) => [isa, loadKernels({ allow: 'native', isa }).solvers] as const);

/** Sizes on both sides of a vector, of a panel of 256 rows and of a group of 128 steps. */
const shapes = fc.record({ seed: fc.integer({ min: 0, max: 2 ** 31 }), n: fc.constantFrom(1, 5, 19, 33), blocks: fc.integer({ min: 1, max: 6 }), block: fc.constantFrom(2, 16, 48) });

function uniform(seed: number, count: number): Float32Array {
  const next = generator(seed);
  return Float32Array.from({ length: count }, () => next() / 2 ** 31 - 1);
}

/** x'x of `tokens` inputs with a few loud columns. */
function gramOf(seed: number, k: number, tokens: number): Float32Array {
  const x = uniform(seed, tokens * k).map((value, i) => value * ((i % k) % 7 === 0 ? 4 : 1));
  const gram = new Float32Array(k * k);
  for (let i = 0; i < k; i++) for (let j = 0; j <= i; j++) {
    let sum = 0;
    for (let t = 0; t < tokens; t++) sum += (x[t * k + i] as number) * (x[t * k + j] as number);
    gram[i * k + j] = gram[j * k + i] = sum;
  }
  return gram;
}

function blocksOf(gram: Float32Array, k: number, block: number): Float32Array {
  return Float32Array.from({ length: k * block }, (_, i) => gram[Math.floor(i / block) * k + Math.floor(i / block / block) * block + (i % block)] as number);
}

function gridOf(solvers: Solvers, w: Float32Array, n: number, k: number, block: number): ScaleGrid {
  const { channelScale, blockScale } = solvers.searchLpbq({ w, n, k, block, gram: undefined, factors: new Float32Array() });
  return { scale: Float32Array.from(blockScale, (integer, i) => integer * (channelScale[Math.floor((i * block) / k)] as number)), block, bits: 4 };
}

function shuffled(seed: number, k: number): Uint32Array {
  const keys = uniform(seed, k);
  return Uint32Array.from({ length: k }, (_, i) => i).sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b);
}

describe.each(natives)('%s', (_, native) => {
  it('searches LPBQ scales as the reference does', () => {
    fc.assert(fc.property(shapes, fc.constantFrom('identity', 'diagonal', 'blocks'), ({ seed, n, blocks, block }, form) => {
      const k = blocks * block;
      const w = sample(seed, n * k, 'weights');
      const gram = gramOf(seed + 1, k, 2 * k);
      const weighing = form === 'identity' ? undefined : form === 'diagonal' ? Float32Array.from({ length: k }, (__, i) => gram[i * k + i] as number) : blocksOf(gram, k, block);
      const search = { w, n, k, block, gram: weighing, factors: Float32Array.of(0.7, 0.9, 1) };
      for (const threads of [1, 2]) expect(native.searchLpbq({ ...search, threads })).toEqual(reference.searchLpbq(search));
    }), { numRuns: 12 });
  });

  it('searches candidates as the reference does', () => {
    fc.assert(fc.property(shapes, fc.boolean(), fc.boolean(), ({ seed, n, blocks, block }, asymmetric, started) => {
      const k = blocks * block;
      const gram = blocksOf(gramOf(seed + 1, k, 2 * k), k, block);
      const search = { w: sample(seed, n * k, 'ties'), n, k, block, bits: 4, gram, candidates: 20, ...(asymmetric ? { linear: uniform(seed + 2, n * k) } : {}), ...(started ? { start: uniform(seed + 3, n * blocks).map((x) => 0.25 + x * x) } : {}) };
      for (const threads of [1, 2]) expect(native.searchCandidates({ ...search, threads })).toEqual(reference.searchCandidates(search));
    }), { numRuns: 12 });
  });

  it('rounds with feedback as the reference does', () => {
    fc.assert(fc.property(shapes, fc.boolean(), fc.boolean(), ({ seed, n, blocks, block }, withResidual, fromTarget) => {
      const k = blocks * block;
      const w = sample(seed, n * k, 'weights');
      const rounding = {
        w, n, k, grid: gridOf(reference, w, n, k, block), order: shuffled(seed, k), feedback: uniform(seed + 1, k * k),
        ...(withResidual ? { residual: uniform(seed + 2, k * k).map((x) => x / k) } : {}), errorFrom: fromTarget ? 'target' as const : 'weight' as const,
      };
      for (const threads of [1, 2]) expect(native.roundWithFeedback({ ...rounding, threads })).toEqual(reference.roundWithFeedback(rounding));
    }), { numRuns: 12 });
  });

  it('descends and measures losses as the reference does', () => {
    fc.assert(fc.property(shapes, ({ seed, n, blocks, block }) => {
      const k = blocks * block;
      const w = sample(seed, n * k, 'weights');
      const grid = gridOf(reference, w, n, k, block);
      const gram = gramOf(seed + 1, k, 2 * k);
      const start = reference.roundToGrid({ w, n, k }, grid);
      expect(native.roundToGrid({ w, n, k }, grid)).toEqual(start);
      const values = start.reduce((out, code, i) => out.fill(code * (grid.scale[Math.floor(i / block)] as number), i, i + 1), new Float32Array(n * k));
      for (const solvers of [native, reference]) expect(solvers.valuesOnGrid(start, grid)).toEqual(values);
      const run = (solvers: Solvers, threads: number): Int8Array => {
        const codes = start.slice();
        solvers.descend({ target: w, n, k, grid, gram, codes, sweeps: 2, threads });
        return codes;
      };
      for (const threads of [1, 2]) expect(run(native, threads)).toEqual(run(reference, 1));
      expect(native.rowLosses(w, gram, n, k)).toEqual(reference.rowLosses(w, gram, n, k));
    }), { numRuns: 12 });
  });

  it('descends over more rows and columns than it holds at once as the reference does', () => {
    const [n, k, block] = [270, 200, 8];
    const w = sample(3, n * k, 'weights');
    const grid = gridOf(reference, w, n, k, block);
    const gram = gramOf(4, k, 2 * k);
    const [codes, ...others] = [reference, native, native].map((solvers, threads) => {
      const moved = reference.roundToGrid({ w, n, k }, grid);
      solvers.descend({ target: w, n, k, grid, gram, codes: moved, sweeps: 3, threads: Math.max(threads, 1) });
      return moved;
    });
    for (const other of others) expect(other).toEqual(codes);
    expect(codes).not.toEqual(reference.roundToGrid({ w, n, k }, grid));
  });
});

describe('properties', () => {
  const solvers = loadKernels().solvers;
  const n = 300;
  const k = 288;
  const block = 32;
  const w = sample(7, n * k, 'weights');
  const gram = gramOf(8, k, 400);

  it('no feedback is plain rounding, in any order', () => {
    const grid = gridOf(solvers, w, n, k, block);
    const plain = solvers.roundToGrid({ w, n, k }, grid);
    for (const errorFrom of ['weight', 'target'] as const) {
      expect(solvers.roundWithFeedback({ w, n, k, grid, order: shuffled(1, k), feedback: new Float32Array(k * k), errorFrom })).toEqual(plain);
    }
  });

  it('each sweep of descent lowers the loss of every row, or leaves it', () => {
    const grid = gridOf(solvers, w, n, k, block);
    const codes = solvers.roundToGrid({ w, n, k }, grid);
    const losses = (): Float64Array => solvers.rowLosses(Float32Array.from(codes, (code, i) => code * (grid.scale[Math.floor(i / block)] as number) - (w[i] as number)), gram, n, k);
    let before = losses();
    for (let sweep = 0; sweep < 3; sweep++) {
      solvers.descend({ target: w, n, k, grid, gram, codes, sweeps: 1 });
      const after = losses();
      after.forEach((loss, row) => { expect(loss).toBeLessThanOrEqual((before[row] as number) * (1 + 1e-5)); });
      before = after;
    }
  });

  it('the searched grid is never worse than min-max, has a 16 in every channel, and products that fit int8', () => {
    const weighing = blocksOf(gram, k, block);
    const searched = solvers.searchLpbq({ w, n, k, block, gram: weighing, factors: Float32Array.of(0.6, 0.7, 0.8, 0.9, 1) });
    const minMax = solvers.searchLpbq({ w, n, k, block, gram: weighing, factors: new Float32Array() });
    const lossOf = ({ channelScale, blockScale }: typeof searched): Float64Array => {
      const grid = { scale: Float32Array.from(blockScale, (integer, i) => integer * (channelScale[Math.floor((i * block) / k)] as number)), block, bits: 4 };
      const codes = solvers.roundToGrid({ w, n, k }, grid);
      const e = Float32Array.from(codes, (code, i) => code * (grid.scale[Math.floor(i / block)] as number) - (w[i] as number));
      const diagonal = gram.map((value, i) => (Math.floor(Math.floor(i / k) / block) === Math.floor((i % k) / block) ? value : 0));
      return solvers.rowLosses(e, diagonal, n, k);
    };
    const after = lossOf(searched);
    const before = lossOf(minMax);
    let won = 0;
    after.forEach((loss, row) => {
      expect(loss).toBeLessThanOrEqual((before[row] as number) * (1 + 1e-5));
      if (loss < 0.95 * (before[row] as number)) won++;
      expect(Math.max(...searched.blockScale.subarray((row * k) / block, ((row + 1) * k) / block))).toBe(16);
    });
    expect(won).toBeGreaterThan(n / 2);
  });

  it('refuses what does not fit', () => {
    const grid = gridOf(solvers, w, n, k, block);
    expect(() => solvers.roundToGrid({ w, n, k: 287 }, grid)).toThrow(/KERNEL_ARGUMENT|do not fit/u);
    expect(() => solvers.roundWithFeedback({ w, n, k, grid, order: new Uint32Array(k), feedback: new Float32Array(k * k), errorFrom: 'weight' })).toThrow(expect.objectContaining({ code: 'KERNEL_ARGUMENT' }));
    expect(() => solvers.valuesOnGrid(new Int8Array(n * k - 1), grid)).toThrow(expect.objectContaining({ code: 'KERNEL_ARGUMENT' }));
    expect(() => solvers.valuesOnGrid(new Int8Array(n * k), { ...grid, scale: grid.scale.subarray(1) })).toThrow(expect.objectContaining({ code: 'KERNEL_ARGUMENT' }));
    expect(() => solvers.searchCandidates({ w, n, k, block: 288, bits: 4, gram: undefined, candidates: 20 })).toThrow(expect.objectContaining({ code: 'KERNEL_ARGUMENT' }));
  });
});
