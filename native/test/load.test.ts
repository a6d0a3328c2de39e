/** The loader never falls back without saying why, and the addon refuses calls that would leave its arrays. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TundishError } from '@tundish/diagnostics';
import { afterAll, describe, expect, it } from 'vitest';
import { builtAddonPath, KERNEL_VERSION } from '../ts/addon.js';
import { loadKernels, variants } from '../ts/index.js';
import type { RawKernels } from '../ts/kernels.js';
import { ensureAddon } from './built-addon.js';

ensureAddon();
const folder = mkdtempSync(join(tmpdir(), 'tundish-load-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return error instanceof TundishError ? error.code : undefined;
  }
  return undefined;
}

describe('loadKernels', () => {
  it('takes the built addon in its best variant', () => {
    const kernels = loadKernels();
    expect(kernels.identity()).toEqual({ implementation: 'native', version: KERNEL_VERSION, isa: variants()[0] });
    expect(kernels.reason).toBeUndefined();
  });

  it('gives TypeScript without a reason when it was asked for', () => {
    const kernels = loadKernels({ allow: 'typescript' });
    expect(kernels.identity()).toEqual({ implementation: 'typescript', version: KERNEL_VERSION, isa: 'typescript' });
    expect(kernels.reason).toBeUndefined();
  });

  const other = join(folder, 'other.cjs');
  writeFileSync(other, 'module.exports = { version: "tundish-kernels-0", variants: ["portable"], kernels() { return {}; } };');
  const broken = join(folder, 'broken.node');
  writeFileSync(broken, 'not a shared library');
  const foreign = join(folder, 'foreign.cjs');
  writeFileSync(foreign, 'module.exports = { version: 1 };');

  it.each([
    [join(folder, 'absent.node'), /no addon at .*absent\.node; build it/],
    [broken, /broken\.node does not load/],
    [foreign, /foreign\.cjs is not a Tundish addon/],
    [other, /is version tundish-kernels-0, this package needs/],
  ])('says why %s is not used', (path, reason) => {
    const kernels = loadKernels({ path });
    expect(kernels.identity().implementation).toBe('typescript');
    expect(kernels.reason).toMatch(reason);
    expect(codeOf(() => loadKernels({ path, allow: 'native' }))).toBe('KERNEL_UNAVAILABLE');
  });
});

describe('arguments', () => {
  it.each([['native', loadKernels({ allow: 'native' })], ['typescript', loadKernels({ allow: 'typescript' })]])('%s refuses what does not fit', (_, kernels) => {
    const w = new Float32Array(64);
    const refused = [
      () => kernels.quantizeLpbq(w, 2, 33, 32),
      () => kernels.quantizeLpbq(w, 2, 32, 0),
      () => kernels.quantizeLpbq(w, 2, 32, 1),
      () => kernels.quantizeLpbq(w, 3, 32, 32),
      () => kernels.quantizeLpbq(w, 2, 32, 32, 1, new Uint8Array(64)),
      () => kernels.quantizePerChannel(w, 2, 32, 8, 1, new Int8Array(32)),
      () => kernels.quantizePerChannel(w, 2, 31, 8),
      () => kernels.sgemm(w, w, 8, 8, 7),
      () => kernels.sgemm(w, w, -8, 8, -8),
      () => kernels.fwht(w, 1, 63),
      () => kernels.minMax(w, 0),
      () => kernels.quantizeOnGrid(w, { scale: 1, zeroPoint: 0 }, 4 as 8),
      () => kernels.quantizeOnGrid(w, { scale: 0.1, zeroPoint: 0 }, 8),
      () => kernels.quantizeOnGrid(w, { scale: 0, zeroPoint: 0 }, 8),
      () => kernels.quantizeOnGrid(w, { scale: NaN, zeroPoint: 0 }, 8),
      () => kernels.quantizeOnGrid(w, { scale: Infinity, zeroPoint: 0 }, 8),
      () => kernels.quantizeOnGrid(w, { scale: 1, zeroPoint: 256 }, 8),
      () => kernels.quantizeOnGrid(w, { scale: 1, zeroPoint: -1 }, 16),
      () => kernels.quantizeOnGrid(w, { scale: 1, zeroPoint: 0.5 }, 16),
      () => kernels.quantizeOnGrid(w, { scale: 1, zeroPoint: 0 }, 8, 1, new Uint8Array(63)),
      () => kernels.quantizeOnGrid(w, { scale: 1, zeroPoint: 0 }, 8, 1, new Uint16Array(64)),
    ];
    expect(refused.map(codeOf)).toEqual(refused.map(() => 'KERNEL_ARGUMENT'));
  });

  it('the addon itself refuses wrong types and lengths', () => {
    const addon = createRequire(import.meta.url)(builtAddonPath()) as { kernels(isa: string): RawKernels };
    const raw = addon.kernels('portable');
    const f32 = new Float32Array(4);
    expect(() => raw.minMax(new Float64Array(4) as never, f32, 1)).toThrow('argument 0 has another element type');
    expect(() => raw.minMax(f32, f32, 1)).toThrow('argument 1 has another length');
    expect(() => raw.sgemm(f32, f32, f32, 2, 2, 1e9, false, 1)).toThrow('has another length');
    expect(() => raw.fwht(f32, 1, NaN, 1)).toThrow('argument 2 is not a size');
    expect(() => raw.quantizeLpbq(f32, 1, 4, 0, new Uint8Array(2), new Uint8Array(1), f32, 1)).toThrow('block size');
    expect(() => raw.quantizeOnGrid8(f32, 1, 256, new Uint8Array(4), 1)).toThrow('zero point');
    expect(() => raw.quantizeOnGrid8(f32, '1' as never, 0, new Uint8Array(4), 1)).toThrow('argument 1 is not a number');
    expect(() => raw.quantizeOnGrid16(f32, 1, 0, new Uint16Array(3), 1)).toThrow('argument 3 has another length');
    expect(() => addon.kernels('sse')).toThrow('variant sse cannot run');
  });
});

describe('build.mjs', () => {
  const script = fileURLToPath(new URL('../build.mjs', import.meta.url));
  const run = (tools: readonly string[]) => {
    const bin = mkdtempSync(join(folder, 'bin-'));
    mkdirSync(bin, { recursive: true });
    for (const tool of tools) symlinkSync(spawnSync('which', [tool], { encoding: 'utf8' }).stdout.trim(), join(bin, tool));
    return spawnSync(process.execPath, [script], { encoding: 'utf8', env: { PATH: bin } });
  };

  it('names cmake when it is missing', () => {
    const { status, stderr } = run([]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^native: cmake is not installed/);
  });

  it('names the compiler when it is missing', () => {
    const { status, stderr } = run(['cmake']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^native: no C\+\+ compiler found/);
  });
});
