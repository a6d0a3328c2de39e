/** What is read out of files that others made, and of one of our own, whose content is known. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { summarizeOnnx } from '@tundish/graph/summary';
import { ELEMENT_CODES, childOptionsOf, elementName, elementsOf, inspectContextBinary, inspectDlc, libraryPath, openBinary, withChild } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { describeWith, realLibraries } from './real-libraries.js';
import { readExecution } from './safetensors-execution.js';
import { writeWheel } from './wheel-file.js';

const real = realLibraries();
const fixture = (name: string): string => fileURLToPath(new URL(`../../../test/fixtures/qnn/${name}`, import.meta.url));
const MINI_LLAMA = fixture('mini-llama-part1-ar1-cl256-v79.bin');

let scratch: string;
beforeAll(() => {
  ensureAddon();
  scratch = mkdtempSync(join(tmpdir(), 'tundish-inspection-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Expected {
  readonly build_id: string;
  readonly core_api: string;
  readonly backend_api: string;
  readonly context_blob_version: string;
  readonly soc_model: number;
  readonly dsp_arch: number;
  readonly graphs: readonly { readonly name: string; readonly vtcm_bytes: number; readonly optimization_level: number; readonly spill_fill_bytes: number; readonly inputs: readonly ExpectedTensor[]; readonly outputs: readonly ExpectedTensor[] }[];
}

interface ExpectedTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dtype: string;
  readonly quant?: { readonly scale: number; readonly offset: number };
}

const asFound = ({ name, dims, dtype, quant }: ExpectedTensor): object => ({ name, shape: dims, dtype, quantization: quant === undefined ? null : { kind: 'scale_offset', scale: quant.scale, offset: quant.offset } });

describeWith(real, '%s', (_, libraries) => {
  it('says of a binary of ours what its maker says', async () => {
    const expected = JSON.parse(readFileSync(fixture('mini-llama-part1-ar1-cl256-v79.json'), 'utf8')) as Expected;
    const found = await inspectContextBinary(MINI_LLAMA, libraries);
    expect(found).toMatchObject({ buildId: expected.build_id, coreApi: expected.core_api, backendApi: expected.backend_api, contextBlobVersion: expected.context_blob_version, socModel: expected.soc_model, hexagon: expected.dsp_arch, bytes: readFileSync(MINI_LLAMA).length });
    expect(found.graphs.map(({ name, inputs, outputs }) => ({ name, inputs, outputs }))).toEqual(expected.graphs.map(({ name, inputs, outputs }) => ({ name, inputs: inputs.map(asFound), outputs: outputs.map(asFound) })));
    const [graph] = expected.graphs;
    expect(found.graphs[0]?.memory).toMatchObject({ vtcmBytes: graph?.vtcm_bytes, optimizationLevel: graph?.optimization_level, spillFillBytes: graph?.spill_fill_bytes });
  });

  it('reads binaries of other compilers: one of ExecuTorch, one of ONNX Runtime', async () => {
    const stories = await inspectContextBinary(fixture('stories260k_context.bin'), libraries);
    expect(stories).toMatchObject({ form: 3, buildId: 'v2.37.0.250724175447_124859', coreApi: '2.27.0', socModel: 57, hexagon: 75 });
    expect(stories.graphs.map(({ name, inputs, outputs }) => [name, inputs.length, outputs.length])).toEqual([['kv_forward', 13, 11], ['prefill_forward', 13, 11]]);
    expect(stories.graphs[0]?.inputs[0]).toMatchObject({ dtype: 'UFIXED_POINT_8', shape: [1, 4, 8, 127], quantization: { kind: 'scale_offset', offset: -128 } });
    const old = await inspectContextBinary(fixture('add_add_1_quant.onnx_ctx.onnx_QNNExecutionProvider_QNN_13756297062807309455_1_0.bin'), libraries);
    expect(old).toMatchObject({ form: 1, socModel: null, hexagon: null, graphs: [{ memory: null, inputs: [{ name: 'input', dtype: 'FLOAT_32', shape: [3, 4], quantization: null }] }] });
  });

  it('cannot be misled by a binary that is cut anywhere', async () => {
    const cut = join(scratch, 'cut.bin');
    for (const bytes of [17, 100, 1000, 5000]) {
      copyFileSync(MINI_LLAMA, cut);
      truncateSync(cut, bytes);
      await expect(inspectContextBinary(cut, libraries), String(bytes)).rejects.toMatchObject({ code: 'QAIRT_BINARY_DAMAGED' });
    }
  });
});

const newest = real.filter(([, { installation }]) => installation?.version === '2.7.0').slice(0, 1);
describeWith(newest, '%s', (_, libraries) => {
  it('executes a binary of ours to the bytes that were kept', async () => {
    const { input, output } = readExecution(fixture('mini-llama-part1-ar1-cl256-v79.io.safetensors'));
    const results = await withChild(childOptionsOf(libraries), async (child) => {
      await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: 1, soc: 69 });
      return (await openBinary(child, libraries, MINI_LLAMA)).get('ar1_cl256_1_of_3')?.(input);
    });
    expect(Object.keys(output).length).toBe(3);
    for (const [name, bytes] of Object.entries(output)) {
      const found = results?.[name];
      expect(found === undefined ? undefined : Buffer.from(found.buffer).equals(bytes), name).toBe(true);
    }
  });
});

describe('a deep learning container', () => {
  it('tells its entries, versions and provenance without any library', async () => {
    const dlc = await inspectDlc(fixture('test_abs_q.dlc'));
    expect(dlc.entries.map(({ name }) => name)).toEqual(['dlc.metadata', 'model', 'model.params']);
    expect(dlc.models).toEqual([{ entry: 'model', major: 3, minor: 0, root: 'NETD' }, { entry: 'model.params', major: 3, minor: 0, root: 'NETP' }]);
    expect(dlc.metadata).toMatchObject({ 'converter-version': '1.56.2.3050', 'model-version': 'N/A' });
  });

  it.each([
    ['cut short', (path: string) => writeFileSync(path, readFileSync(fixture('test_abs.dlc')).subarray(0, 1500))],
    ['without a model', (path: string) => writeWheel(path, { 'dlc.metadata': 'a=b' })],
    ['with a model of something else', (path: string) => writeWheel(path, { model: 'NETD but not at its place' })],
    ['no archive', (path: string) => writeFileSync(path, 'text')],
  ])('%s is refused', async (title, write) => {
    const path = join(scratch, `${title}.dlc`);
    write(path);
    await expect(inspectDlc(path)).rejects.toMatchObject({ code: 'QAIRT_DLC_DAMAGED' });
  });
});

describe('an ONNX wrapper', () => {
  it('names the binaries inside and beside it', () => {
    const [first, second, ...others] = summarizeOnnx(fixture('qnn_multi_ctx_embed.onnx')).epContexts;
    expect(others).toEqual([]);
    expect(first).toMatchObject({ partition: 'QNNExecutionProvider_QNN_13547385946405838957_1_0', isMain: true, source: 'QNNExecutionProvider', sdkVersion: 'v2.22.0.240425235059_92863' });
    for (const node of [first, second]) {
      const { offset, bytes } = node?.binary as { readonly offset: number; readonly bytes: number };
      const inside = readFileSync(fixture('qnn_multi_ctx_embed.onnx')).subarray(offset, offset + bytes);
      expect([inside.length, inside.readUInt32BE(0)]).toEqual([17776, 2]);
    }
    const beside = summarizeOnnx(fixture('qnn_multi_ctx_external.onnx')).epContexts;
    expect(beside.map(({ binary }) => binary)).toEqual([{ path: expect.stringMatching(/^add_add_1.*\.bin$/) as string }, { path: expect.stringMatching(/^add_output.*\.bin$/) as string }]);
  });
});

describe('element types', () => {
  it('have names and arrays, also where bytes lie at odd places', () => {
    expect([elementName(0x416), elementName(0x232), elementName(0x777)]).toEqual(['UFIXED_POINT_16', 'FLOAT_32', '0x0777']);
    const odd = new Uint8Array(9).subarray(1);
    odd.set([1, 0, 2, 0, 0, 0, 128, 63]);
    expect(elementsOf(odd.subarray(0, 4), ELEMENT_CODES.UFIXED_POINT_16)).toEqual(Uint16Array.of(1, 2));
    expect(elementsOf(odd.subarray(4), ELEMENT_CODES.FLOAT_32)).toEqual(Float32Array.of(1));
    expect(elementsOf(Uint8Array.of(255), ELEMENT_CODES.SFIXED_POINT_8)).toEqual(Int8Array.of(-1));
  });
});
