/** The mini-llama with `numerics: htp` predicts the emulator, and better than exact sums do. */
import { beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { compareLogits, withEmulator, withHost } from './compare-with-emulator.js';
import { type LlamaPart, evaluationTokens, llamaParts } from './llama-parts.js';
import { type Agreement, agreement } from './logit-agreement.js';
import { describeWith, realLibraries } from './real-libraries.js';

const real = realLibraries();
const [AR, CL] = [32, 256];
/** Texts of CL tokens each. */
const TEXTS = 3;

beforeAll(ensureAddon);

async function texts(): Promise<Int32Array[]> {
  const [bos = 0, ...tokens] = await evaluationTokens(TEXTS * 4 * CL);
  return Array.from({ length: TEXTS }, (_, i) => Int32Array.from([bos, ...tokens.slice(4 * i * (CL - 1), (4 * i + 1) * (CL - 1))]));
}

describeWith(real.slice(0, 1), '%s', (_title, libraries) => {
  it.each([
    ['LPBQ', 'weights: { scheme: lpbq, bits: 4, blockSize: 32 }', { kl: 0.00016, p99: 0.0014, top1: 0.98, perplexity: 0.001 }],
    ['4 bits a channel', 'weights: { scheme: per_channel, bits: 4 }', { kl: 0.00025, p99: 0.002, top1: 0.975, perplexity: 0.001 }],
    ['LPBQ, rotary embedding as one operation', 'weights: { scheme: lpbq, bits: 4, blockSize: 32 }', { kl: 0.00016, p99: 0.0014, top1: 0.98, perplexity: 0.001 }, { rotaryEmbedding: 'operation' }],
  ] as const)('%s', async (_form, quantize, bars, options = {}) => {
    const parts: LlamaPart[] = (await llamaParts(`{ ar: [${AR}], cl: [${CL}], parts: 1 }`, quantize)).map((part) => ({ ...part, options }));
    const given = await texts();
    const runs = await Promise.all((['exact', 'htp'] as const).map((numerics) => withHost(parts, numerics, async (run) => {
      const results = [];
      for (const tokens of given) results.push(await run(tokens));
      return results;
    })));
    const device = await withEmulator(libraries, 69, parts, async (run) => {
      const results = [];
      for (const tokens of given) results.push(await run(tokens));
      return results;
    });
    const [exact, htp] = runs.map((hosts) => agreement(given.flatMap((tokens, i) => compareLogits(parts, tokens, hosts[i] as Map<string, Uint16Array>, device[i] as Map<string, Uint16Array>)))) as [Agreement, Agreement];
    expect(htp.positions).toBe(TEXTS * CL);
    expect(htp.kl).toBeLessThan(bars.kl);
    expect(htp.p99).toBeLessThan(bars.p99);
    expect(htp.top1).toBeGreaterThan(bars.top1);
    expect(Math.abs(htp.perplexity)).toBeLessThan(bars.perplexity);
    expect(htp.kl).toBeLessThan(exact.kl);
  });
});
