/** Every form of weights, caches and tables that a recipe makes, composed and held against the host's simulation in the emulator. */
import { createHash } from 'node:crypto';
import { describeLibraries } from '@tundish/toolchain-qairt';
import { beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { type Comparison, compareWithEmulator, runEmulator } from './compare-with-emulator.js';
import { type LlamaPart, evaluationTokens, llamaParts } from './llama-parts.js';
import { describeWith, realLibraries } from './real-libraries.js';

const real = realLibraries();
const LPBQ = (blockSize: number): string => `weights: { scheme: lpbq, bits: 4, blockSize: ${blockSize} }`;

beforeAll(ensureAddon);

describeWith(real.slice(0, 1), '%s', (_title, libraries) => {
  it.each([
    ['LPBQ in blocks of 16', LPBQ(16), 0.0003],
    ['LPBQ in blocks of 64', LPBQ(64), 0.0003],
    ['4 bits a channel', 'weights: { scheme: per_channel, bits: 4 }', 0.0006],
    ['8 bits a channel', 'weights: { scheme: per_channel, bits: 8 }', 0.0003],
    ['a cache of 16 bits', `${LPBQ(32)}, kvCache: { bits: 16 }`, 0.0003],
    ['an embedding of 8 bits', `${LPBQ(32)}, embedding: { bits: 8 }`, 0.0003],
    ['rotations', LPBQ(32), 0.0003, 'rotate: { r1: true, r2: true, r3: true }'],
  ] as const)('%s', async (_form, quantize, kl, optimize = '') => {
    const parts = await llamaParts('{ ar: [32], cl: [128], parts: 2 }', quantize, optimize);
    const { logits } = await compareWithEmulator(libraries, 69, parts, await evaluationTokens(96));
    expect(logits.kl).toBeLessThan(kl);
    expect(logits.top1).toBeGreaterThan(0.95);
  });
});

describeWith(real.slice(0, 1), 'codes are the same as of %s', (_title, newest) => {
  let parts: LlamaPart[];
  let tokens: Int32Array;
  let expected: string;
  beforeAll(async () => {
    parts = await llamaParts('{ ar: [32], cl: [128], parts: 2 }', LPBQ(32));
    tokens = await evaluationTokens(64);
    expected = digestOf(await runEmulator(newest, 69, parts, tokens));
  });

  it.each([[43, 'v73'], [57, 'v75'], [87, 'v81']])('for chip %i (%s) as for chip 69 (v79)', async (soc) => {
    expect(digestOf(await runEmulator(newest, soc, parts, tokens))).toBe(expected);
  });

  // Products of two activations are one code larger in a twentieth of the elements there, and nothing else differs.
  it.each(real)('from %s, but for build 2.49, which multiplies otherwise', async (_title, libraries) => {
    const { logits, device } = await compareWithEmulator(libraries, 69, parts, tokens);
    expect(logits.kl).toBeLessThan(0.0003);
    const { release } = await describeLibraries(libraries);
    expect(digestOf(device) === expected, `codes of build ${release}`).toBe(release !== '2.49');
  });
});

/** Of every code of every output. */
function digestOf(device: Comparison['device']): string {
  const hash = createHash('sha256');
  for (const [name, codes] of device) hash.update(name).update(codes);
  return hash.digest('hex');
}
