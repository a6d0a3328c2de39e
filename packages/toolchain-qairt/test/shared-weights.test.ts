/** A part of more than 10 MB: weights that two graphs share lie in the binary once. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Calls, ELEMENT_CODES, TENSOR_KINDS, inspectContextBinary, withEmulator } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { integers, list, scalar } from './op-matrix/tensors.js';
import { describeWith, realLibraries } from './real-libraries.js';

const real = realLibraries();
/** LPBQ matrices [WIDTH, WIDTH] behind each other: 12.6 MB in 4 bits. */
const [WIDTH, LAYERS, BLOCK] = [2048, 6, 32];
const { UFIXED_POINT_16, SFIXED_POINT_8 } = ELEMENT_CODES;

const codes = Int8Array.from(integers(LAYERS * WIDTH * WIDTH, -7, 7));

function stacked(ar: number): Omit<Calls['composeGraph']['input'], 'context'> {
  const activation = (i: number) => ({ name: `a${i}`, type: i === 0 ? TENSOR_KINDS.input : i === LAYERS ? TENSOR_KINDS.output : TENSOR_KINDS.inside, element: UFIXED_POINT_16, dims: Uint32Array.of(1, 1, ar, WIDTH), quantization: { kind: 'scale_offset', scale: 1e-4, offset: -32_768 } as const });
  const weight = (i: number) => ({
    name: `w${i}`, type: TENSOR_KINDS.constant, element: SFIXED_POINT_8, dims: Uint32Array.of(1, 1, WIDTH, WIDTH), data: codes.subarray(i * WIDTH * WIDTH, (i + 1) * WIDTH * WIDTH),
    quantization: { kind: 'blockwise', axis: 3, scales: new Float32Array(WIDTH).fill(0.001), blocks: WIDTH / BLOCK, bits: 4, blockScales: Uint8Array.from(integers((WIDTH * WIDTH) / BLOCK, 1, 15, i + 1)) } as const,
  });
  const layers = [...Array(LAYERS).keys()];
  return {
    name: `ar${ar}`, options: { optimization: 3, vtcmMegabytes: 8 },
    tensors: [activation(0), ...layers.flatMap((i) => [weight(i), activation(i + 1)])],
    operations: layers.map((i) => ({ name: `layer_${i}`, type: 'Conv2d', inputs: [`a${i}`, `w${i}`], outputs: [`a${i + 1}`], parameters: [list('stride', [2], [1, 1]), list('pad_amount', [2, 2], [0, 0, 0, 0]), list('dilation', [2], [1, 1]), scalar('group', 1)].map((parameter) => ('tensor' in parameter ? { ...parameter, tensor: { ...parameter.tensor, name: `${parameter.name}_${i}` } } : parameter)) })),
  };
}

describeWith(real.slice(0, 1), 'two graphs of one part, with %s', (_title, libraries) => {
  let scratch: string;
  beforeAll(() => {
    ensureAddon();
    scratch = mkdtempSync(join(tmpdir(), 'tundish-shared-'));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function bytesOf(name: string, ars: readonly number[], weightSharing: boolean): Promise<number> {
    const path = join(scratch, name);
    await withEmulator({ libraries, soc: 69 }, async (child) => {
      const context = await child.call('createContext', { weightSharing });
      for (const ar of ars) await child.call('finalize', { graph: await child.call('composeGraph', { context, ...stacked(ar) }) });
      await child.call('writeBinary', { context, path });
    });
    const { bytes, graphs } = await inspectContextBinary(path, libraries);
    expect(graphs.map((graph) => graph.name)).toEqual(ars.map((ar) => `ar${ar}`));
    return bytes;
  }

  it('are at most 1.08 times as large as the larger one alone', async () => {
    const alone = [await bytesOf('1.bin', [1], false), await bytesOf('32.bin', [32], false)];
    const shared = await bytesOf('shared.bin', [1, 32], true);
    expect(Math.min(...alone)).toBeGreaterThan(10e6);
    // Measured: 1.012.
    expect(shared / Math.max(...alone)).toBeLessThanOrEqual(1.08);
    expect(await bytesOf('unshared.bin', [1, 32], false)).toBeGreaterThan(1.5 * shared);
  });
});
