/** Graphs of all sizes of the mini-llama: the same logits, tapped or not, composed or loaded, and one binary hardly larger than that of one graph. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { composeGraph, elementsOf, openBinary, tapPlan, withEmulator } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { type Codes, runOnCodes } from './code-runner.js';
import { ioOf } from './compare-with-emulator.js';
import { compilePart } from './genie-bundle.js';
import { type LlamaPart, evaluationTokens, llamaParts } from './llama-parts.js';
import { describeWith, realLibraries } from './real-libraries.js';

const real = realLibraries();
/** Two passes of the largest graph: the second reads a cache. */
const TOKENS = 256;

type Way = 'composed' | 'tapped' | 'loaded';

describeWith(real.slice(0, 1), 'graphs of all sizes, with %s', (_title, libraries) => {
  let scratch: string;
  let parts: LlamaPart[];
  let tokens: Int32Array;
  let expected: Codes;
  beforeAll(async () => {
    ensureAddon();
    scratch = mkdtempSync(join(tmpdir(), 'tundish-logits-'));
    parts = await llamaParts('{ ar: [1, 32, 128], cl: [256, 512], parts: 1 }', 'weights: { scheme: lpbq, bits: 4, blockSize: 32 }');
    tokens = await evaluationTokens(TOKENS);
    expected = await logitsOf(32, 256, TOKENS, 'composed');
    expect(expected.length).toBe(TOKENS * 4096);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  /** Of the first tokens, [count, vocabulary]. */
  async function logitsOf(ar: number, cl: number, count: number, way: Way): Promise<Codes> {
    const part = parts.find(({ cell }) => cell.ar === ar && cell.cl === cl) as LlamaPart;
    const plan = composeGraph(part.model, part.encodings, part.name);
    return withEmulator({ libraries, soc: 69 }, async (child) => {
      const context = await child.call('createContext', { weightSharing: false });
      const graph = await child.call('composePlan', { context, plan: way === 'tapped' ? tapPlan(plan) : plan, paths: part.paths, options: { optimization: 3, vtcmMegabytes: 8 } });
      await child.call('finalize', { graph });
      let run = async (inputs: Record<string, Codes>): Promise<Record<string, Codes>> => {
        const results = await child.call('execute', { graph, inputs });
        return Object.fromEntries(plan.outputs.map(({ name, element }) => [name, elementsOf(results[name] as Uint8Array, element) as Codes]));
      };
      if (way === 'loaded') {
        const path = join(scratch, 'loaded.bin');
        await child.call('writeBinary', { context, path });
        await child.call('freeContext', { context });
        const opened = (await openBinary(child, libraries, path)).get(part.name);
        run = async (inputs) => await opened?.(inputs) as Record<string, Codes>;
      }
      const seen = await runOnCodes([ioOf(part)], { ar, cl }, tokens.subarray(0, count), (_part, inputs) => run(inputs));
      return Uint16Array.from([...seen].filter(([name]) => name.endsWith(' logits')).flatMap(([, codes]) => [...codes]));
    });
  }

  it.each([
    ['one token at a time', 1, 256, 8, 'composed'], ['one token at a time', 1, 512, 8, 'composed'],
    ['in passes of 32', 32, 512, TOKENS, 'composed'],
    ['in passes of 128', 128, 256, TOKENS, 'composed'], ['in passes of 128', 128, 512, TOKENS, 'composed'],
    ['with every activation as an output', 32, 256, 64, 'tapped'], ['from the binary', 32, 256, 64, 'loaded'],
  ] as const)('give the same logits %s, AR %i, CL %i, %i tokens, %s', async (_what, ar, cl, count, way) => {
    const found = await logitsOf(ar, cl, count, way);
    expect(found.length).toBe(count * 4096);
    expect(Buffer.from(found.buffer).equals(Buffer.from(expected.slice(0, found.length).buffer))).toBe(true);
  });

  it('give other logits at other positions', () => {
    expect(new Set([...Array(TOKENS).keys()].map((row) => expected.subarray(row * 4096, (row + 1) * 4096).join())).size).toBeGreaterThan(TOKENS / 2);
  });

  it('share their weights: four graphs in one binary are at most 1.15 times the largest alone', async () => {
    const four = parts.filter(({ cell }) => cell.ar < 128);
    expect(four).toHaveLength(4);
    const sizes: number[] = [];
    for (const [i, graphs] of [four, ...four.map((part) => [part])].entries()) {
      const path = join(scratch, `${i}.bin`);
      await compilePart(libraries, graphs, path, { weightSharing: graphs.length > 1 });
      sizes.push(statSync(path).size);
    }
    const [shared = Infinity, ...alone] = sizes;
    // Measured: 1.146.
    expect(shared / Math.max(...alone)).toBeLessThanOrEqual(1.15);
    expect(shared).toBeGreaterThan(Math.max(...alone));
  });
});
