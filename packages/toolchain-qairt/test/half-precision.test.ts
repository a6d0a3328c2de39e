/** The mini-llama in half precision: what the vendor's emulator makes of it, held against the host's float32 over the same weights. */
import { createHash } from 'node:crypto';
import type { QairtLibraries } from '@tundish/toolchain-qairt';
import { beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { type LlamaPart, evaluationTokens, llamaParts } from './llama-parts.js';
import { agreement } from './logit-agreement.js';
import { describeWith, realLibraries } from './real-libraries.js';
import { type Logits, compareTexts, emulatorLogits, hostLogits } from './runtime-logits.js';

const real = realLibraries();
const GRAPHS = '{ ar: [32], cl: [128], parts: 2 }';

beforeAll(ensureAddon);

/** Weights with a scale a channel, and nothing else quantized. */
async function weightsOnly(bits: number, more = '', optimize = ''): Promise<LlamaPart[]> {
  const parts = await llamaParts(GRAPHS, `weights: { scheme: per_channel, bits: ${bits} }${more}`, optimize);
  return parts.map((part) => ({ ...part, encodings: { ...part.encodings, activations: new Map() } }));
}

describeWith(real.slice(0, 1), '%s', (_title, libraries) => {
  it.each([
    ['4 bits a channel', 4, '', ''],
    ['8 bits a channel, and an embedding of 8 bits', 8, ', embedding: { bits: 8 }', ''],
    ['rotations', 4, '', 'rotate: { r1: true, r2: true, r3: true }'],
  ] as const)('computes what the host computes: %s', async (_form, bits, more, optimize) => {
    const parts = await weightsOnly(bits, more, optimize);
    const texts = [await evaluationTokens(96)];
    const logits = await emulatorLogits(libraries, parts, texts);
    const { kl, p99, top1, perplexity } = agreement(compareTexts(texts, logits, await hostLogits(parts, texts)));
    // Measured: 0.000004 to 0.000006 nats, p99 0.0001, all tokens. Codes of 16 bits are 0.0004 nats away.
    expect(kl).toBeLessThan(0.00003);
    expect(p99).toBeLessThan(0.0004);
    expect(top1).toBeGreaterThan(0.98);
    expect(Math.abs(perplexity)).toBeLessThan(0.002);
  });
});

describeWith(real.slice(0, 1), 'bits are the same as of %s', (_title, newest) => {
  let parts: LlamaPart[];
  let texts: Int32Array[];
  let expected: string;
  const digest = async (libraries: QairtLibraries, soc: number): Promise<string> => digestOf(await emulatorLogits(libraries, parts, texts, soc));
  beforeAll(async () => {
    parts = await weightsOnly(4);
    texts = [await evaluationTokens(64)];
    expected = await digest(newest, 69);
  });

  it.each([[43, 'v73'], [57, 'v75'], [87, 'v81']])('for chip %i (%s) as for chip 69 (v79)', async (soc) => {
    expect(await digest(newest, soc)).toBe(expected);
  });

  it.each(real.slice(1))('from %s', async (_title, libraries) => {
    expect(await digest(libraries, 69)).toBe(expected);
  });
});

function digestOf(logits: Logits): string {
  const hash = createHash('sha256');
  for (const text of logits) hash.update(text);
  return hash.digest('hex');
}
