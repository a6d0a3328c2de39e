/** Every form of weights, caches and tables that a recipe makes, composed and held against the host's simulation in the emulator. */
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { compareWithEmulator } from './compare-with-emulator.js';
import { evaluationTokens, llamaParts } from './llama-parts.js';
import { realLibraries } from './real-libraries.js';

const real = realLibraries();
const LPBQ = (blockSize: number): string => `weights: { scheme: lpbq, bits: 4, blockSize: ${blockSize} }`;

beforeAll(ensureAddon);

describe.skipIf(real.length === 0).each(real.slice(0, 1))('%s', (_title, libraries) => {
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

describe.skipIf(real.length === 0)('every build that this machine has', () => {
  it.each([[43, 'v73'], [57, 'v75'], [69, 'v79'], [87, 'v81']])('gives the codes of chip 69 for chip %i (%s)', async (soc) => {
    const parts = await llamaParts('{ ar: [32], cl: [128], parts: 2 }', LPBQ(32));
    const tokens = await evaluationTokens(64);
    const [, first] = real[0] as (typeof real)[number];
    const { device: expected } = await compareWithEmulator(first, 69, parts, tokens);
    for (const [title, libraries] of real) expect((await compareWithEmulator(libraries, soc, parts, tokens)).device, title).toEqual(expected);
  });
});
