/** The float model on few windows: which, what their statistics are against sums in float64, and walks that run it so. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { type Products, loadKernels } from '@tundish/native';
import { floatWindows, isHeldOut, judgingWindows } from '@tundish/recipe/calibration-windows';
import { type FloatWindows, QUANTIZE_RECIPES, type Technique } from '@tundish/recipe/technique';
import type { WeightScheme } from '@tundish/recipe/weight-scheme';
import { hostReference } from '@tundish/toolchain-host';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BlockCache, activationsName, referenceName } from '../src/block-cache.js';
import { floatRange } from '../src/engine/float-windows.js';
import { type GroupMoments, GroupStatistics } from '../src/engine/group-statistics.js';
import { type QuantizeRequest, quantizeModel } from '../src/index.js';
import type { WindowRange } from '../src/live-activations.js';
import { diagonalBlocks } from '../src/techniques/weight-matrix.js';
import { type AdaptedCheckpoint, adapt, repositoryPath, temporaryFolder } from './adapted.js';
import { crossOf, floats, goldenTensors, layerProblem } from './golden-tensors.js';

const kernels = loadKernels();

function on(floatWindows: FloatWindows, change: Partial<Technique> = {}): Technique {
  return { ...QUANTIZE_RECIPES.lpbq_seqmse, scales: { search: 'seqmse', candidates: 8, inputs: 'float', start: 'compressed' }, floatWindows, ...change };
}

describe('windows of the float model', () => {
  it('lie at equal distances, and none is held out where nothing is judged by them', () => {
    expect(floatWindows(on('all'), 9)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(floatWindows(on(4), 9)).toEqual([0, 2, 4, 6, 8]);
    expect(floatWindows(on(3), 24)).toEqual([0, 8, 16]);
    // Of every third, the 16th is held out.
    expect(floatWindows(on(6), 20)).toEqual([0, 3, 6, 9, 12, 18]);
    for (const few of [8, 16, 32]) expect(floatWindows(on(few), 64)).toHaveLength(few);
    for (const count of [1, 2, 7]) expect(floatWindows(on(1), count)).toEqual([0]);
    expect(floatWindows(on(5), 4)).toEqual([0, 1, 2, 3]);
  });

  it.each<Partial<Technique>>([
    { rounding: { method: 'gptq', damping: 0.01, actOrder: true } }, { rounding: { method: 'gptaq', damping: 0.01, actOrder: true, alpha: 0.25 } }, { correction: 'heldOut' },
  ])('are all that are held out too where choices are judged by the float model: %j', (link) => {
    expect(floatWindows(on(6, link), 20)).toEqual([0, 3, 6, 7, 9, 12, 15, 18]);
    expect(floatWindows(on(4, link), 32)).toEqual([0, 7, 8, 15, 16, 23, 24, 31]);
    // None is held out of so few: they are judged by all. And a refinement reads all.
    expect(floatWindows(on(6, { ...link, refine: { method: 'signround', iterations: 1, tokens: 8 } }), 9)).toHaveLength(9);
    expect(floatWindows(on(2, link), 7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('lie one behind another in their own stream', () => {
    expect(floatRange([0, 4, 8, 12], { first: 0, count: 8 })).toEqual({ first: 0, count: 2 });
    expect(floatRange([0, 4, 8, 12], { first: 8, count: 8 })).toEqual({ first: 2, count: 2 });
    expect(floatRange([0, 4, 8, 12], { first: 5, count: 3 })).toBeUndefined();
  });
});

describe('statistics', () => {
  const COUNT = 16;
  const { x, w, n, k, tokens } = layerProblem('p2');
  const float = floats(goldenTensors('p2.gptq').X_fp as never);
  const outputs = kernels.sgemm(float, w, tokens, n, k, { transposeB: true });
  const of = (values: Float32Array, indices: readonly number[]): Float32Array => {
    const size = values.length / COUNT;
    return Float32Array.from(indices.flatMap((index) => [...values.subarray(index * size, (index + 1) * size)]));
  };
  const all = Array.from({ length: COUNT }, (_, index) => index);
  const [learned, judging] = [all.filter((index) => !isHeldOut(index, COUNT)), judgingWindows(COUNT)];
  const INPUTS = { kind: 'inputs', float } as const;
  const OUTPUTS = { kind: 'outputs', layer: { w, n, k }, float: outputs } as const;

  /** In batches of three windows, so that some hold no float window. @param windows of the float model; absent: all */
  function momentsOf(block: number, windows: readonly number[] | undefined, { float: beside, ...kind }: typeof INPUTS | typeof OUTPUTS = INPUTS, products: Products = kernels.algebra): GroupMoments {
    const statistics = new GroupStatistics({ kernels, products, threads: 2 }, k, block, { ...kind, ...(windows === undefined ? {} : { windows }) }, COUNT);
    for (let first = 0; first < COUNT; first += 3) {
      const range: WindowRange = { first, count: Math.min(3, COUNT - first) };
      const inside = (windows ?? all).filter((index) => index >= first && index < first + range.count);
      statistics.add(range, of(x, all.slice(first, first + range.count)), inside.length === 0 ? undefined : of(beside, inside));
    }
    return statistics.finish();
  }

  /** A'X / T over windows, summed in float64. */
  const meanOf = (values: Float32Array, windows: readonly number[]): Float32Array => crossOf(of(values, windows), of(x, windows), (windows.length * tokens) / COUNT, k);
  /** (Xf - X)'X / T over windows. */
  const beyondOf = (windows: readonly number[]): Float32Array => meanOf(float.map((value, i) => value - (x[i] as number)), windows);
  const furthest = (a: Float32Array, b: Float32Array): number => Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0) / b.reduce((sum, value) => sum + value ** 2, 0));

  it.each([[8, 32], [4, 32], [2, 16], [8, k], [2, k]])('of inputs in %d windows, blocks of %d: those of float64', (few, block) => {
    const windows = floatWindows(on(few), COUNT);
    const { train: { beyond, gram, tokens: count }, judged } = momentsOf(block, windows);
    expect(count).toBe((learned.length * tokens) / COUNT);
    expect(judged.reference).toBeUndefined();
    expect(furthest(gram, diagonalBlocks(meanOf(x, learned), k, block))).toBeLessThan(1e-6);
    expect(furthest(beyond as Float32Array, diagonalBlocks(beyondOf(windows), k, block))).toBeLessThan(3e-6);
  });

  it.each([8, 4, 'all'] as const)('of outputs in %s windows: those of float64, W times those of inputs', (few) => {
    const windows = floatWindows(on(few, { correction: 'heldOut' }), COUNT);
    const { train: { beyond } } = momentsOf(k, few === 'all' ? undefined : windows, OUTPUTS);
    const inputs = beyondOf(windows.filter((index) => !isHeldOut(index, COUNT)));
    const wanted = Float32Array.from({ length: n * k }, (_, at) => {
      let sum = 0;
      for (let i = 0, row = Math.floor(at / k); i < k; i++) sum += (w[row * k + i] as number) * (inputs[i * k + (at % k)] as number);
      return sum;
    });
    expect(furthest(beyond as Float32Array, wanted)).toBeLessThan(1e-4);
  });

  it('of windows that are held out are judged by and not learned from', () => {
    const windows = floatWindows(on(4, { correction: 'heldOut' }), COUNT);
    expect(windows).toEqual([0, 4, 7, 8, 12, 15]);
    for (const given of [INPUTS, OUTPUTS]) {
      const [few, full] = [momentsOf(k, windows, given), momentsOf(k, undefined, given)];
      expect(few.judged).toEqual(full.judged);
      expect(few.judged.reference).toHaveLength((judging.length * given.float.length) / COUNT);
      const learnedAlone = momentsOf(k, windows.filter((index) => !isHeldOut(index, COUNT)), given);
      expect(few.train).toEqual(learnedAlone.train);
      expect(learnedAlone.judged.reference).toBeUndefined();
    }
  });

  it('are nearer to those of all windows than what few windows alone tell, with products in int16 too', () => {
    const windows = floatWindows(on(4), COUNT);
    const truth = beyondOf(learned);
    const gram = meanOf(x, learned);
    // Xf'X of the few beside X'X of all.
    const alone = meanOf(float, windows).map((value, i) => value - (gram[i] as number));
    for (const products of [kernels.algebra, kernels.algebra.int16]) {
      expect(furthest(momentsOf(k, windows, INPUTS, products).train.beyond as Float32Array, truth)).toBeLessThan(0.3 * furthest(alone, truth));
    }
  });

  it.each([32, k])('of all windows are sums of Xf\'X as they come without X\'X, blocks of %d: the same bytes', (block) => {
    const { train: { beyond, gram }, judged } = momentsOf(block, undefined);
    const sums = new Float32Array(k * block);
    for (const [from, to] of [[0, 3], [3, 6], [6, 7], [8, 9], [9, 12], [12, 15]] as const) {
      const [a, b] = [float, x].map((values) => of(values, all.slice(from, to))) as [Float32Array, Float32Array];
      const rows = (to - from) * (tokens / COUNT);
      if (block === k) kernels.algebra.accumulateCross(sums, a, b, rows, k, k, 1);
      else kernels.algebra.accumulateBlocks(sums, a, b, rows, k, block, 1);
    }
    const count = (learned.length * tokens) / COUNT;
    expect(beyond).toEqual(sums.map((sum, i) => Math.fround(sum / count) - (gram[i] as number)));
    expect(judged.reference).toBeDefined();
  });
});

/** Keeps results by what decides them, as a store does; `forget` loses those of a block. */
class Kept implements BlockCache {
  readonly made: string[] = [];
  readonly folders = new Map<string, string>();

  async block(name: string, inputs: Parameters<BlockCache['block']>[1], make: Parameters<BlockCache['block']>[2]): ReturnType<BlockCache['block']> {
    const key = JSON.stringify([name, inputs()]);
    const folder = this.folders.get(key) ?? temporaryFolder();
    if (!this.folders.has(key)) {
      this.made.push(name);
      await make(folder);
      this.folders.set(key, folder);
    }
    return { path: (file) => Promise.resolve(join(folder, file)), sha256: (file) => createHash('sha256').update(readFileSync(join(folder, file))).digest('hex') };
  }

  /** The last that was made under this name. */
  folderOf(name: string): string {
    return [...this.folders].findLast(([key]) => key.startsWith(`["${name}"`))?.[1] as string;
  }

  forget(name: string): void {
    for (const key of this.folders.keys()) if (key.startsWith(`["${name}"`)) this.folders.delete(key);
  }
}

describe('a walk', () => {
  const [WINDOWS, LENGTH] = [10, 24];
  const CHECKPOINT = 'test/fixtures/golden/llama-bias-fp32';
  let adapted: AdaptedCheckpoint;
  beforeAll(async () => {
    adapted = await adapt(repositoryPath(CHECKPOINT), LENGTH, LENGTH + 1);
  });

  async function walk(technique: Technique, change: Partial<QuantizeRequest> = {}, scheme: WeightScheme = { scheme: 'lpbq', bits: 4, blockSize: 16 }): Promise<string> {
    const { encodings, files } = await quantizeModel({
      model: adapted.model, plan: adapted.plan, resolve: adapted.resolve, folder: temporaryFolder(), reporter: silentReporter,
      weights: { schemes: { scheme }, embeddingBits: 16, technique },
      activations: false, kernels, threads: 2, signal: new AbortController().signal,
      calibration: { model: adapted.model, inputs: adapted.calibration(WINDOWS, LENGTH), executor: hostReference() },
      ...change,
    });
    expect(encodings.parameters.size).toBeGreaterThan(0);
    const hash = createHash('sha256');
    for (const [name, path] of files) hash.update(name).update(readFileSync(path));
    return hash.digest('hex');
  }

  it('gives equal bytes on 1 and 2 threads and in TypeScript, and others than with all windows', async () => {
    const few = await walk(on(5));
    expect(await walk(on(5), { threads: 1 })).toBe(few);
    expect(await walk(on(5), { kernels: loadKernels({ allow: 'typescript' }) })).toBe(few);
    expect(await walk(on('all'))).not.toBe(few);
    expect(await walk(on(1))).not.toBe(few);
  });

  it('goes on from what is cached and gives the same bytes; with another number no stream of the float model is taken for one of this', async () => {
    const kept = new Kept();
    const fresh = await walk(on(2));
    expect(await walk(on(2), { blocks: kept })).toBe(fresh);
    kept.forget('block-1');
    expect(await walk(on(2), { blocks: kept })).toBe(fresh);
    expect(kept.made).toEqual(['embedding', 'block-0', 'block-1', 'lm_head', 'block-1']);
    expect(await walk(on(5), { blocks: kept })).toBe(await walk(on(5)));
    // The head reads no tokens where no activations are measured.
    expect(kept.made.slice(5)).toEqual(['embedding', 'block-0', 'block-1']);
  });

  it('multiplies as the recipe says, with equal bytes on 1 and 2 threads and in TypeScript', async () => {
    const scheme: WeightScheme = { scheme: 'lpbq', bits: 4, blockSize: 32 };
    const by = (products: Technique['products'], change: Partial<QuantizeRequest> = {}): Promise<string> => walk(on(5, { products }), change, scheme);
    const codes = await by('int8');
    expect(new Set([codes, await by('int16'), await by('float32')]).size).toBe(3);
    expect(await by('int8', { threads: 1 })).toBe(codes);
    expect(await by('int8', { kernels: loadKernels({ allow: 'typescript' }) })).toBe(codes);
  });

  it('corrects targets by few windows, with equal bytes on 1 and 2 threads, in TypeScript and from a cache', async () => {
    const chain = (floatWindows: FloatWindows): Technique => ({ ...QUANTIZE_RECIPES.lpbq_gptaq, floatWindows });
    const few = await walk(chain(2));
    expect(await walk(chain(2), { threads: 1 })).toBe(few);
    expect(await walk(chain(2), { kernels: loadKernels({ allow: 'typescript' }) })).toBe(few);
    expect(await walk(chain('all'))).not.toBe(few);
    expect(await walk({ ...chain(2), correction: 0 })).not.toBe(few);
    const kept = new Kept();
    expect(await walk(chain(2), { blocks: kept })).toBe(few);
    // The same windows but those held out: another stream of the float model leaves the embedding.
    kept.made.length = 0;
    expect(await walk(on(2), { blocks: kept })).toBe(await walk(on(2)));
    expect(kept.made).toEqual(['embedding', 'block-0', 'block-1']);
  });

  it('keeps the float model\'s stream of those windows alone', async () => {
    const kept = new Kept();
    await walk(on(2), { blocks: kept });
    const bytes = 2 * LENGTH * adapted.adaptation.dims.hidden * Float32Array.BYTES_PER_ELEMENT;
    for (const block of ['embedding', 'block-0']) expect(statSync(join(kept.folderOf(block), referenceName(block))).size).toBe(bytes);
    // What leaves the last block is read by nobody.
    for (const name of [referenceName, activationsName]) expect(existsSync(join(kept.folderOf('block-1'), name('block-1')))).toBe(false);
  });

  it('makes the last block of a shorter model anew where the next one reads what it leaves', async () => {
    const folder = temporaryFolder();
    cpSync(repositoryPath(CHECKPOINT), folder, { recursive: true });
    const config = join(folder, 'config.json');
    writeFileSync(config, JSON.stringify({ ...(JSON.parse(readFileSync(config, 'utf8')) as object), num_hidden_layers: 1 }));
    const { model, plan, resolve, calibration } = await adapt(folder, LENGTH, LENGTH + 1);
    const kept = new Kept();
    await walk(on(5), { blocks: kept, model, plan, resolve, calibration: { model, inputs: calibration(WINDOWS, LENGTH), executor: hostReference() } });
    expect(await walk(on(5), { blocks: kept })).toBe(await walk(on(5)));
    expect(kept.made).toEqual(['embedding', 'block-0', 'lm_head', 'block-0', 'block-1', 'lm_head']);
  });

  it.each([['per_channel', { scheme: 'per_channel', bits: 4 }], ['per_block', { scheme: 'per_block', bits: 4, blockSize: 16 }]] as const)('works for %s, behind smoothing and before sweeps', async (_, scheme) => {
    const start = (few: FloatWindows): Technique => on(few, { scales: { search: 'seqmse', candidates: 8, inputs: 'float', start: 'minMax' } });
    expect(await walk(start(5), {}, scheme)).not.toBe(await walk(start('all'), {}, scheme));
    const chain: Technique = { ...start(5), smoothing: { method: 'awq', points: 3 }, polish: 1 };
    expect(await walk(chain, { threads: 1 }, scheme)).toBe(await walk(chain, {}, scheme));
  });
});
