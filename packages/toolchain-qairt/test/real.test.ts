/** The vendor's libraries themselves, every build that this machine has: our interface to them, and what we make of their refusals. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Calls, type Child, ELEMENT_CODES, type QairtLibraries, childOptionsOf, describeLibraries, elementsOf, inspectContextBinary, inspectDlc, libraryPath, openBinary, withChild } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { K, N, additionGraph, longGraph, projectionGraph, projectionWeights } from './graphs.js';
import { describeWith, realLibraries } from './real-libraries.js';
import { onSmallDisk } from './small-disk.js';

const real = realLibraries();
const MINI_LLAMA = fileURLToPath(new URL('../../../test/fixtures/qnn/mini-llama-part1-ar1-cl256-v79.bin', import.meta.url));

let scratch: string;
beforeAll(() => {
  ensureAddon();
  scratch = mkdtempSync(join(tmpdir(), 'tundish-real-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function withHtp<T>(libraries: QairtLibraries, soc: number, work: (child: Child) => Promise<T>, signal?: AbortSignal): Promise<T> {
  return withChild({ ...childOptionsOf(libraries), ...(signal === undefined ? {} : { signal }) }, async (child) => {
    await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: 2, soc });
    return work(child);
  });
}

/** Composes and finalizes all of them in one context. @returns their handles */
async function finalized(child: Child, graphs: readonly Omit<Calls['composeGraph']['input'], 'context'>[], weightSharing = false): Promise<{ readonly context: number; readonly graphs: number[] }> {
  const context = await child.call('createContext', { weightSharing });
  const handles: number[] = [];
  for (const graph of graphs) {
    const handle = await child.call('composeGraph', { context, ...graph });
    await child.call('finalize', { graph: handle });
    handles.push(handle);
  }
  return { context, graphs: handles };
}

describeWith(real, '%s', (title, libraries) => {
  const file = (name: string): string => join(scratch, `${title.replaceAll(/\W/g, '_')}-${name}`);

  it('says what it is', async () => {
    const found = await describeLibraries(libraries);
    const versions = { '2.47': ['2.36.0', '5.47.0', '1.11.0', '1.18.0'], '2.49': ['2.38.0', '5.49.0', '1.13.0', '1.20.0'], '2.51': ['2.40.0', '5.51.0', '1.15.0', '1.21.0'] } as Record<string, string[]>;
    expect([found.coreApi, found.htpApi, found.systemApi, found.genieApi]).toEqual(versions[found.release ?? '']);
    expect(found.capabilities).toEqual(['compile', 'emulate', 'inspect', 'dlc', 'genie']);
    if (libraries.installation !== undefined) expect(found.buildId).toBe(libraries.installation.buildId);
  });

  it('lists its operations', () =>
    withHtp(libraries, 69, async (child) => {
      expect(await child.call('operations', {})).toEqual(expect.arrayContaining(['Conv2d', 'RmsNorm', 'Softmax', 'Gather', 'ScatterElements']));
    }));

  it.each([[43, 73], [57, 75], [69, 79], [87, 81]])('compiles for chip %i, which the binary then names', async (soc, hexagon) => {
    const path = file(`soc${soc}.bin`);
    await withHtp(libraries, soc, async (child) => {
      const { context } = await finalized(child, [additionGraph()]);
      expect(await child.call('writeBinary', { context, path })).toBe(readFileSync(path).length);
    });
    const binary = await inspectContextBinary(path, libraries);
    expect(binary).toMatchObject({ form: 3, backendId: 6, socModel: soc, hexagon, graphs: [{ name: 'addition', memory: { vtcmBytes: 8 * 2 ** 20, optimizationLevel: 3 } }] });
    const tensor = { dtype: 'UFIXED_POINT_8', shape: [1, 1, 4, 32], quantization: { kind: 'scale_offset', scale: 0.125, offset: -128 } };
    expect(binary.graphs[0]).toMatchObject({ inputs: [{ name: 'x', ...tensor }], outputs: [{ name: 'y', ...tensor }] });
  });

  it('executes what it composed, and the same bytes come from the binary; constants may lie in a file', () =>
    withHtp(libraries, 69, async (child) => {
      writeFileSync(file('weights'), Buffer.concat([Buffer.alloc(100), Buffer.from(projectionWeights().buffer)]));
      const inside = projectionGraph({ ar: 4, activations: 'codes', weights: projectionWeights() });
      const mapped = { ...projectionGraph({ ar: 4, activations: 'codes', weights: { path: file('weights'), offset: 100, bytes: K * N } }), name: 'mapped' };
      const { context, graphs } = await finalized(child, [additionGraph(), inside, mapped]);
      const [addition, fromMemory, fromFile] = graphs as [number, number, number];
      const codes = Uint8Array.from({ length: 128 }, (_, i) => 90 + (i % 80));
      const { y: sum } = await child.call('execute', { graph: addition, inputs: { x: codes } });
      expect([...(sum as Uint8Array)]).toEqual([...codes].map((code) => 2 * code - 128));
      const x = Uint16Array.from({ length: 4 * K }, (_, i) => (i * 2477) % 65536);
      const { y } = await child.call('execute', { graph: fromMemory, inputs: { x } });
      const codesOfY = elementsOf(y as Uint8Array, ELEMENT_CODES.UFIXED_POINT_16);
      expect(largestError(codesOfY as Uint16Array, x)).toBeLessThan(2);
      expect(await child.call('execute', { graph: fromFile, inputs: { x } })).toEqual({ y });
      const path = file('three.bin');
      await child.call('writeBinary', { context, path });
      const opened = await openBinary(child, libraries, path);
      expect(await opened.get('ar4')?.({ x })).toEqual({ y: codesOfY });
      expect(await opened.get('addition')?.({ x: codes })).toEqual({ y: Uint8Array.from(sum as Uint8Array) });
      await child.call('freeContext', { context });
    }));

  it.each([['axis', 2], ['bitwidth_axis', 30]] as const)('takes weights with one scale a channel (%s), and every option of a graph', (encoding, allowed) =>
    withHtp(libraries, 69, async (child) => {
      const projection = projectionGraph({ ar: 4, activations: 'codes', encoding, weights: projectionWeights() });
      const options = { optimization: 2, vtcmMegabytes: 4, hvxThreads: 4, dlbc: 1, dlbcWeights: 1 };
      const { context, graphs: [graph] } = await finalized(child, [{ ...projection, options, tensors: projection.tensors.map((tensor) => ({ ...tensor, version: 2 })) }]);
      const x = Uint16Array.from({ length: 4 * K }, (_, i) => (i * 2477) % 65536);
      const { y } = await child.call('execute', { graph: graph as number, inputs: { x } });
      expect(largestError(elementsOf(y as Uint8Array, ELEMENT_CODES.UFIXED_POINT_16) as Uint16Array, x)).toBeLessThan(allowed);
      const path = file(`${encoding}.bin`);
      await child.call('writeBinary', { context, path });
      expect((await inspectContextBinary(path, libraries)).graphs[0]?.memory).toMatchObject({ optimizationLevel: 2, vtcmBytes: 4 * 2 ** 20 });
    }));

  it('makes the same bytes twice', async () => {
    const [first, second] = [file('first.bin'), file('second.bin')];
    for (const path of [first, second]) await withHtp(libraries, 69, async (child) => child.call('writeBinary', { context: (await finalized(child, [additionGraph()])).context, path }));
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
  });

  it('shares weights in a binary that only a device loads', () =>
    withHtp(libraries, 69, async (child) => {
      const graphs = [1, 4].map((ar) => projectionGraph({ ar, activations: 'codes', weights: projectionWeights() }));
      const { context } = await finalized(child, graphs, true);
      const path = file('shared.bin');
      await child.call('writeBinary', { context, path });
      expect((await inspectContextBinary(path, libraries)).graphs.map(({ name }) => name)).toEqual(['ar1', 'ar4']);
      await expect(child.call('loadContext', { path })).rejects.toMatchObject({ code: 'QAIRT_BINARY_SHARED' });
    }));

  it('writes a container, which composes to the same codes', async () => {
    const path = file('graph.dlc');
    // Writing LPBQ weights ends the process of build 2.47.
    const isOld = (await describeLibraries(libraries)).release === '2.47';
    const source = isOld ? additionGraph() : projectionGraph({ ar: 4, activations: 'codes', weights: projectionWeights() });
    const x = isOld ? Uint8Array.from({ length: 128 }, (_, i) => 90 + (i % 80)) : Uint16Array.from({ length: 4 * K }, (_, i) => (i * 2477) % 65536);
    await withChild(childOptionsOf(libraries), async (child) => {
      await child.call('openBackend', { library: libraryPath(libraries, 'ir'), logLevel: 2 });
      await finalized(child, [{ ...source, options: { dlc: path } }]);
    });
    expect((await inspectDlc(path)).models).toMatchObject([{ root: 'NETD' }, { root: 'NETP' }]);
    await withHtp(libraries, 69, async (child) => {
      const { graphs: [direct] } = await finalized(child, [source]);
      const context = await child.call('createContext', { weightSharing: false });
      const [composed] = await child.call('composeDlc', { context, systemLibrary: libraryPath(libraries, 'system'), path });
      expect(composed).toMatchObject({ name: source.name, inputs: [{ name: 'x' }], outputs: [{ name: 'y' }] });
      const { name, inputs, outputs } = composed as NonNullable<typeof composed>;
      const graph = await child.call('openGraph', { context, name, inputs, outputs });
      await child.call('finalize', { graph });
      expect(await child.call('execute', { graph, inputs: { x } })).toEqual(await child.call('execute', { graph: direct as number, inputs: { x } }));
    });
  });

  it('refuses a projection that it cannot make, by name', () =>
    withHtp(libraries, 69, async (child) => {
      const failure = finalized(child, [projectionGraph({ ar: 4, activations: 'half', weights: projectionWeights() })]);
      await expect(failure).rejects.toMatchObject({ code: 'QAIRT_OPERATION_UNSUPPORTED', what: expect.stringContaining('projection') as string });
    }));

  it('has an opinion about an operation', () =>
    withHtp(libraries, 69, async (child) => {
      const context = await child.call('createContext', { weightSharing: false });
      const graph = await child.call('composeGraph', { context, ...additionGraph(), operations: [] });
      const operation = { name: 'add', type: 'ElementWiseAdd', inputs: ['x', 'x'], outputs: ['y'], parameters: [] };
      expect(await child.call('validate', { graph, operation })).toBe(0);
      expect(await child.call('validate', { graph, operation: { ...operation, type: 'NoSuchOperation' } })).not.toBe(0);
    }));

  it('does not know chip 9999', async () => {
    await expect(withHtp(libraries, 9999, async () => undefined)).rejects.toMatchObject({ code: 'QAIRT_CHIP_REFUSED' });
  });

  it('refuses binaries that are cut short, empty, or something else', async () => {
    const cut = file('cut.bin');
    copyFileSync(MINI_LLAMA, cut);
    truncateSync(cut, 100_000);
    writeFileSync(file('empty.bin'), '');
    for (const path of [cut, file('empty.bin'), fileURLToPath(import.meta.url)]) {
      await withHtp(libraries, 69, (child) => expect(child.call('loadContext', { path }), path).rejects.toMatchObject({ code: 'QAIRT_BINARY_DAMAGED' }));
    }
    await expect(inspectContextBinary(fileURLToPath(import.meta.url), libraries)).rejects.toMatchObject({ code: 'QAIRT_BINARY_DAMAGED' });
    await expect(inspectContextBinary(file('absent.bin'), libraries)).rejects.toMatchObject({ code: 'QAIRT_FILE' });
  });

  it('loads a binary of build 2.51 when it is not older, and says so when it is', async () => {
    const { release } = await describeLibraries(libraries);
    const loading = withHtp(libraries, 69, (child) => child.call('loadContext', { path: MINI_LLAMA }));
    if (release === '2.51') expect(await loading).toBe(0);
    else await expect(loading).rejects.toMatchObject({ code: 'QAIRT_BINARY_NEWER' });
  });

  it('is cancelled and killed in the middle of finalizing', async () => {
    /** Ends what `stop` ends once the library works. @returns ms from then to the failure */
    const stopped = async (stop: (child: Child) => void, code: string, signal?: AbortSignal): Promise<number> => {
      let stoppedAt = 0;
      const failure = withHtp(libraries, 69, async (child) => {
        const graph = await child.call('composeGraph', { context: await child.call('createContext', { weightSharing: false }), ...longGraph() });
        setTimeout(() => {
          stoppedAt = performance.now();
          stop(child);
        }, 300);
        await child.call('finalize', { graph });
      }, signal);
      await expect(failure).rejects.toMatchObject({ code });
      return performance.now() - stoppedAt;
    };
    const cancel = new AbortController();
    expect(await stopped(() => cancel.abort(), 'QAIRT_CANCELLED', cancel.signal)).toBeLessThan(2000);
    expect(await stopped((child) => process.kill(child.pid as number, 'SIGKILL'), 'QAIRT_KILLED')).toBeLessThan(2000);
  });

  it('says that the disk is full, and leaves no part of a binary', ({ skip }) =>
    withHtp(libraries, 69, async (child) => {
      const { context } = await finalized(child, [longGraph(200)]);
      const done = await onSmallDisk(async (disk) => {
        await expect(child.call('writeBinary', { context, path: join(disk, 'a.bin') })).rejects.toMatchObject({ code: 'QAIRT_DISK_FULL' });
        expect(readdirSync(disk)).toEqual([]);
      });
      skip(!done, 'mounting a small disk needs root');
    }));

  it('writes nothing over a file, and nothing where there is no folder', () =>
    withHtp(libraries, 69, async (child) => {
      const { context } = await finalized(child, [additionGraph()]);
      writeFileSync(file('taken.bin'), 'mine');
      await expect(child.call('writeBinary', { context, path: file('taken.bin') })).rejects.toMatchObject({ code: 'QAIRT_FILE' });
      expect(readFileSync(file('taken.bin'), 'utf8')).toBe('mine');
      await expect(child.call('writeBinary', { context, path: join(file('absent'), 'a.bin') })).rejects.toMatchObject({ code: 'QAIRT_FILE' });
      await expect(child.call('writeBinary', { context, path: '/dev/full' })).rejects.toMatchObject({ code: 'QAIRT_FILE' });
      expect(existsSync(file('absent'))).toBe(false);
    }));
});

/** In codes, against the exact product of the quantized weights. */
function largestError(y: Uint16Array, x: Uint16Array): number {
  const weights = projectionWeights();
  let worst = 0;
  for (let m = 0; m < 4; m++) {
    for (let n = 0; n < N; n++) {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += ((x[m * K + k] as number) - 32768) * 1e-4 * (weights[k * N + n] as number) * 0.01 * 9;
      const code = Math.min(65535, Math.max(0, sum / 1e-2 + 32768));
      worst = Math.max(worst, Math.abs(code - (y[m * N + n] as number)));
    }
  }
  return worst;
}
