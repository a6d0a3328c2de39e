/** What is refused before any work, by which evidence, and what is measured afterwards. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import type { Lock, QuantizeOptions } from '@tundish/recipe';
import type { Sidecar } from '@tundish/store';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import type { ToolchainLimits } from '@tundish/toolchain';
import { describe, expect, test } from 'vitest';
import { cpuMilliseconds } from '../../../test/fixtures/cpu-time.js';
import { type Adapters, type Preflight, type PreflightRequest, buildModel, modelLayout, preflight } from '../src/index.js';
import { estimateNeeds } from '../src/preflight/estimates.js';
import { readShapes } from '../src/preflight/shapes.js';
import { FLOAT_RECIPE, QUANTIZED_RECIPE, Workspace, repositoryPath } from './workspace.js';

const adapters = (limits: ToolchainLimits = {}): Adapters => ({ toolchain: () => ({ ...hostToolchain(), limits: () => limits }), reference: () => hostReference() });

async function look(workspace: Workspace, lock: Lock, change: Partial<PreflightRequest> = {}): Promise<Preflight> {
  return preflight({ layout: modelLayout(workspace.root, workspace.model), lock, cacheRoot: workspace.cacheRoot, hubCache: workspace.path('hub'), adapters: adapters(), ...change });
}

function codes({ findings }: Preflight): string[] {
  return findings.map(({ severity, problem }) => `${severity} ${problem.code}`);
}

describe('preflight', () => {
  const workspace = Workspace.make(QUANTIZED_RECIPE);

  test('finds nothing wrong with a build that works', async () => {
    const result = await look(workspace, await workspace.lock());
    expect(codes(result)).toEqual([]);
    expect(result.room.memoryAvailable).toBeGreaterThan(0);
    expect(result.room.memoryTotal).toBeGreaterThanOrEqual(result.room.memoryAvailable);
    expect(result.room.diskAvailable).toBeGreaterThan(0);
  });

  test('holds the recipe against the limits of the toolchain, all at once', async () => {
    const lock = await workspace.lock();
    const { findings, ...rest } = await look(workspace, lock, { adapters: adapters({ partBytes: 1000, graphsPerPart: 1, blockSizes: [32, 64] }) });
    expect(codes({ findings, ...rest })).toEqual(['error PREFLIGHT_BLOCK_SIZE', 'error PREFLIGHT_GRAPHS', 'error PREFLIGHT_GRAPHS', 'error PREFLIGHT_PART_SIZE']);
    expect(findings.at(-1)?.problem.fix).toMatch(/^write graphs: \{ parts: \d+ \} or more$/);
  });

  test('holds versions against each other, memory against a limit, and a disk against what will be written', async () => {
    const lock = await workspace.lock();
    const toolchain = { name: 'host', version: 'onnxruntime 0.1.0' };
    const pinned = { ...lock, stages: { ...lock.stages, compile: { ...lock.stages.compile, toolchain } } };
    expect(codes(await look(workspace, pinned))).toEqual(['error STAGE_TOOL_DIFFERS']);
    const limited = await look(workspace, lock, { maxMemory: 220e6 });
    expect(codes(limited)).toEqual(['error PREFLIGHT_MAX_MEMORY', 'error PREFLIGHT_MAX_MEMORY']);
    expect(limited.findings[0]?.problem.what).toMatch(/^quantize needs about \d+ MB of memory, the limit of this build is 220 MB$/);
    // What is done already can no longer need memory or disk.
    expect(codes(await look(workspace, lock, { maxMemory: 220e6, from: 'package' }))).toEqual([]);
    const options = lock.stages.quantize.options as Extract<Lock['stages']['quantize']['options'], { readonly calibration: unknown }>;
    const endless = { ...lock, stages: { ...lock.stages, quantize: { options: { ...options, calibration: { ...options.calibration, windows: 1e12 } } } } };
    expect(codes(await look(workspace, endless))).toEqual(['error PREFLIGHT_DISK']);
    const wide = { ...lock, stages: { ...lock.stages, quantize: { options: { ...options, calibration: { ...options.calibration, windowLength: 1e6 } } } } };
    expect(codes(await look(workspace, wide))).toContain('error PREFLIGHT_MEMORY');
  });

  test('holds schemes of weights, of single layers too, against those of the toolchain, each once', async () => {
    const own = Workspace.make(QUANTIZED_RECIPE.replace('weights:', 'overrides: [{ layers: model.layers.*.*.*_proj, bits: 8 }], weights:'));
    const lock = await own.lock();
    const { findings, ...rest } = await look(own, lock, { adapters: adapters({ weightSchemes: ['lpbq'] }) });
    expect(codes({ findings, ...rest })).toEqual(['error PREFLIGHT_SCHEME']);
    expect(findings[0]?.problem).toMatchObject({ what: expect.stringMatching(/^quantize\.overrides of model\.layers\.\d\.[\w.]+: scheme per_channel$/) as string, why: 'host compiles lpbq' });
    expect(codes(await look(own, lock, { adapters: adapters({ weightSchemes: ['lpbq', 'per_channel'] }) }))).toEqual([]);
    const mixed = await workspace.lock();
    const options = { ...(mixed.stages.quantize.options as Exclude<Lock['stages']['quantize']['options'], 'none'>), mixedPrecision: { budget: 1.1 } } as Lock['stages']['quantize']['options'];
    const raising = await look(workspace, { ...mixed, stages: { ...mixed.stages, quantize: { options } } }, { adapters: adapters({ weightSchemes: ['lpbq'] }) });
    expect(raising.findings[0]?.problem).toMatchObject({ code: 'PREFLIGHT_SCHEME', what: 'quantize.mixedPrecision: scheme per_channel' });
  });

  test('counts the bytes of each scheme, of single layers and of a budget', async () => {
    const shapes = await readShapes(workspace.path('checkpoint'), ['config.json', 'model.safetensors']);
    const lock = await workspace.lock();
    const options = lock.stages.quantize.options as Exclude<Lock['stages']['quantize']['options'], 'none'>;
    const bytes = (change: Partial<typeof options>): number => estimateNeeds({ ...lock, stages: { ...lock.stages, quantize: { options: { ...options, ...change } as typeof options } } }, shapes, true).parts.reduce((sum, part) => sum + part, 0);
    const elements = shapes.blocks.reduce((sum, block) => sum + block, 0);
    const base = bytes({});
    expect(bytes({ weights: { scheme: 'per_channel', bits: 8 } }) - base).toBeCloseTo(elements * (1 - 9 / 16), 3);
    expect(bytes({ weights: { scheme: 'per_block', bits: 4, blockSize: 32 } }) - base).toBeCloseTo(elements * (4 / 32 - 1 / 16), 3);
    const raised = { 'model.layers.1.mlp.down_proj': { scheme: 'per_channel', bits: 8 } } as const;
    expect(bytes({ overrides: raised }) - base).toBeCloseTo(shapes.config.hiddenSize * shapes.config.intermediateSize * (1 - 9 / 16), 3);
    expect(bytes({ mixedPrecision: { budget: 1.5 } }) - base).toBeCloseTo(0.5 * elements * (9 / 16), 3);
  });

  test('asks for the matrix that R1 rotates as a whole', async () => {
    const shapes = await readShapes(workspace.path('checkpoint'), ['config.json', 'model.safetensors']);
    const lock = await workspace.lock();
    const rotate = { r1: true, r2: false, r3: false };
    const rotated = { ...lock, stages: { ...lock.stages, optimize: { options: { foldNormGains: true, rotate } } } };
    const [before, after] = [lock, rotated].map((one) => estimateNeeds(one, shapes, true).stages.quantize.memory) as [number, number];
    expect(after - before).toBe(16 * shapes.config.hiddenSize * shapes.config.intermediateSize);
  });

  test('asks for the values that an observer with a histogram takes out, and a second session where the bits of the cache are decided', async () => {
    const shapes = await readShapes(workspace.path('checkpoint'), ['config.json', 'model.safetensors']);
    const lock = await workspace.lock();
    const options = lock.stages.quantize.options as Extract<QuantizeOptions, { readonly kvCache: unknown }>;
    const memory = (change: object): number => estimateNeeds({ ...lock, stages: { ...lock.stages, quantize: { options: { ...options, ...change } as QuantizeOptions } } }, shapes, true).stages.quantize.memory;
    const { windowLength } = options.calibration as { readonly windowLength: number };
    const observed = memory({ activations: { ...options.activations, observer: { method: 'mse' } } });
    expect(observed - memory({})).toBeGreaterThanOrEqual(3 * 4 * windowLength * shapes.config.vocabSize);
    expect(memory({ kvCache: { ...options.kvCache, bits: 'auto' } })).toBeGreaterThan(memory({}));
  });

  test('asks for what a refinement holds of each weight', async () => {
    const shapes = await readShapes(workspace.path('checkpoint'), ['config.json', 'model.safetensors']);
    const lock = await workspace.lock();
    const options = lock.stages.quantize.options as Exclude<Lock['stages']['quantize']['options'], 'none'>;
    const memory = (refine: typeof options.technique.refine): number => {
      const stages = { ...lock.stages, quantize: { options: { ...options, technique: { ...options.technique, polish: 1, refine } } } };
      return estimateNeeds({ ...lock, stages }, { ...shapes, blocks: [1e9, 1e9] }, true).stages.quantize.memory;
    };
    const [solved, adaScale, signRound] = [memory({ method: 'none' }), ...(['adascale', 'signround'] as const).map((method) => memory({ method, iterations: 1, tokens: 1 }))] as [number, number, number];
    expect([adaScale - solved, signRound - solved]).toEqual([24e9, 20e9]);
  });

  test('says so when the checkpoint is not there, and reads headers only', async () => {
    const absent = Workspace.make(FLOAT_RECIPE);
    const lock = await absent.lock();
    rmSync(absent.path('checkpoint/config.json'));
    expect(codes(await look(absent, lock))).toEqual(['warning PREFLIGHT_SOURCE']);
  });

  test('knows the shapes of a model of a hundred billion parameters in less than a second', async () => {
    const large = Workspace.make(FLOAT_RECIPE);
    const lock = await large.lock();
    // Sparse: the header says what is there, and no byte behind it is on the disk.
    const header = JSON.stringify({ 'model.layers.0.mlp.down_proj.weight': { dtype: 'BF16', shape: [1e6, 1e5], data_offsets: [0, 2e11] } });
    mkdirSync(large.path('sparse'));
    copyFileSync(large.path('checkpoint/config.json'), large.path('sparse/config.json'));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    large.write('sparse/model.safetensors', `${length.toString('latin1')}${header}`);
    truncateSync(large.path('sparse/model.safetensors'), 8 + header.length + 2e11);
    const began = cpuMilliseconds();
    const shapes = await readShapes(large.path('sparse'), ['config.json', 'model.safetensors']);
    expect(shapes).toMatchObject({ blocks: [1e11], sourceBytes: 2e11 });
    expect(estimateNeeds(lock, { ...shapes, blocks: [5e10, 5e10] }, false).stages.compile.disk).toBeGreaterThan(4e11);
    expect(cpuMilliseconds() - began).toBeLessThan(1000);
  });

  test('estimates at least what a build of a trained model writes and needs', async () => {
    const bundled = Workspace.make(QUANTIZED_RECIPE.replace('windows: 2, windowLength: 8', 'windows: 4, windowLength: 64').replace('cl: [32]', 'cl: [128]').replace('calibration.txt', 'checkpoint/calibration.txt'), repositoryPath('models/llama32/checkpoint'));
    const lock = await bundled.lock();
    const { stages } = estimateNeeds(lock, await readShapes(bundled.path('checkpoint'), Object.keys(lock.source.files)), (await hostToolchain().identity()).operators !== '');
    const runs = await buildModel(bundled.request());
    for (const stage of ['quantize', 'compile'] as const) {
      const own = runs.filter(({ unit }) => unit.stage === stage);
      const written = own.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
      expect(stages[stage].disk, stage).toBeGreaterThan(written * 0.9);
      expect(stages[stage].disk, stage).toBeLessThan(written * 3);
    }
    const whole = runs.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
    expect(Object.values(stages).reduce((sum, { disk }) => sum + disk, 0)).toBeGreaterThan(whole * 0.9);
  });
});

describe('a build', () => {
  test('that cannot succeed ends before its first work, and leaves nothing behind', async () => {
    const workspace = Workspace.make(QUANTIZED_RECIPE);
    await workspace.lock();
    for (const preflight of [() => true, () => false]) await expect(buildModel(workspace.request({ maxMemory: 100e6, preflight }))).rejects.toMatchObject({ code: 'PREFLIGHT_MAX_MEMORY' });
    expect(workspace.leftovers()).toEqual({ entries: [], temporary: [], manifests: [] });
  });

  test('of hits needs nothing, whatever the limit; its keys know no limit, and its entries say what was declared and what was measured', async () => {
    const workspace = Workspace.make(FLOAT_RECIPE);
    await workspace.lock();
    const limited = await buildModel(workspace.request({ maxMemory: 8e9 }));
    expect(limited.every(({ status }) => status === 'run')).toBe(true);
    const entry = workspace.leftovers().entries.find((name) => name.startsWith('compile_')) as string;
    const info = JSON.parse(readFileSync(`${workspace.cacheRoot}/tiny/${entry}/builder_cache_info.json`, 'utf8')) as Sidecar;
    expect(info).toMatchObject({ memory: { declared: expect.any(Number) as number, measured: expect.any(Number) as number, limit: 8e9 }, cpu_seconds: expect.any(Number) as number });
    expect(info.memory.measured).toBeGreaterThan(10e6);
    const again = await buildModel(workspace.request({ maxMemory: 1 }));
    expect(again.every(({ status }) => status === 'cached')).toBe(true);
    expect(statSync(workspace.path('out/package/stage.json')).size).toBeGreaterThan(0);
  });
});
