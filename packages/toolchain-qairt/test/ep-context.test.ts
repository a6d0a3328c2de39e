/** ONNX files around graphs of a context binary: what they say, and that ONNX Runtime computes from them what the emulator does. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeModel } from '@tundish/graph';
import { summarizeOnnx } from '@tundish/graph/summary';
import { type ContextBinary, childOptionsOf, epContextModel, inspectContextBinary, libraryPath, onnxSketch, openBinary, withChild } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { pythonWith } from './python-packages.js';
import { describeWith, realLibraries } from './real-libraries.js';
import { readExecution } from './safetensors-execution.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../../../test/fixtures/qnn/${name}`, import.meta.url));
const MINI_LLAMA = fixture('mini-llama-part1-ar1-cl256-v79.bin');
const GRAPH = 'ar1_cl256_1_of_3';

/** The build that the binary is of. */
const newest = realLibraries().filter(([, { installation }]) => installation?.version === '2.7.0').slice(0, 1);

let scratch: string;
beforeAll(() => {
  ensureAddon();
  scratch = mkdtempSync(join(tmpdir(), 'tundish-ep-context-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What inspection says, so that these tests need no library. */
const tensor = (name: string, dtype: string, shape: readonly number[], offset?: number) => ({ name, dtype, shape, quantization: offset === undefined ? null : { kind: 'scale_offset' as const, scale: 0.125, offset } });
const BINARY: ContextBinary = {
  path: 'two.bin', bytes: 1, form: 3, buildId: 'v2.51.0', backendId: 6, coreApi: '2.40.0', backendApi: '5.51.0', contextBlobVersion: '3.4.2', blobBytes: 1, socModel: 69, hexagon: 79, contextTensors: [],
  graphs: ['ar1', 'ar32'].map((name, i) => ({
    name, inputs: [tensor('ids', 'INT_32', [1, 1 + 31 * i]), tensor('mask', 'UFIXED_POINT_16', [1, 8], -65535)], outputs: [tensor('logits', 'UFIXED_POINT_16', [1, 4], -32768), tensor('key', 'SFIXED_POINT_8', [2, 1], 0)],
    memory: { spillFillBytes: 0, vtcmBytes: 8_388_608, optimizationLevel: 3, ioBytes: 10, runListBytes: 20, constantBytes: 30, sharedWeightBytes: 0 },
  })),
};

function written(name: string, bytes: Uint8Array): string {
  const path = join(scratch, name);
  writeFileSync(path, bytes);
  return path;
}

describe('a wrapper', () => {
  it('has the tensors of its graph, their codes as integers, and names the binary beside it', () => {
    const bytes = epContextModel(BINARY, 'ar32', 'two.bin');
    const summary = summarizeOnnx(written('ar32.onnx', bytes));
    expect(summary.inputs).toEqual([{ name: 'ids', dtype: 'INT32', shape: [1, 32] }, { name: 'mask', dtype: 'UINT16', shape: [1, 8] }]);
    expect(summary.outputs).toEqual([{ name: 'logits', dtype: 'UINT16', shape: [1, 4] }, { name: 'key', dtype: 'INT8', shape: [2, 1] }]);
    expect(summary.epContexts).toEqual([{ node: 'ar32', partition: 'ar32', isMain: true, binary: { path: 'two.bin' }, source: 'QNN', sdkVersion: 'v2.51.0' }]);
    expect(Object.fromEntries(decodeModel(bytes, { declaredShapes: true }).metadata)).toEqual({ 'quantization key': 'scale 0.125000, zero point 0', 'quantization logits': 'scale 0.125000, zero point 32768', 'quantization mask': 'scale 0.125000, zero point 65535' });
    expect(epContextModel(BINARY, 'ar32', 'two.bin')).toEqual(bytes);
  });

  it('is made of graphs that are there, and types that ONNX has', () => {
    expect(() => epContextModel(BINARY, 'ar7', 'two.bin')).toThrow(expect.objectContaining({ code: 'QAIRT_ARGUMENT', why: 'it has ar1, ar32' }) as Error);
    const [graph] = BINARY.graphs;
    const strange = { ...BINARY, graphs: [{ name: 'a', memory: null, outputs: graph?.outputs ?? [], inputs: [tensor('x', 'STRING', [1])] }] };
    expect(() => epContextModel(strange, 'a', 'two.bin')).toThrow(expect.objectContaining({ code: 'QAIRT_EXPORT_TYPE' }) as Error);
  });
});

describe('a sketch', () => {
  it('has a node a graph, whose tensors are told apart', () => {
    const bytes = onnxSketch({ name: 'two.bin', operator: 'ContextBinaryGraph', graphs: BINARY.graphs, facts: [['chip', 'SM8750']] });
    const { graph, metadata } = decodeModel(bytes, { declaredShapes: true });
    expect(graph.nodes.map(({ name, opType, inputs }) => [name, opType, inputs.map((input) => input?.name)])).toEqual([['ar1', 'ContextBinaryGraph', ['ar1/ids', 'ar1/mask']], ['ar32', 'ContextBinaryGraph', ['ar32/ids', 'ar32/mask']]]);
    expect(graph.outputs.map(({ name, shape }) => [name, shape])).toEqual([['ar1/logits', [1, 4]], ['ar1/key', [2, 1]], ['ar32/logits', [1, 4]], ['ar32/key', [2, 1]]]);
    expect(graph.nodes[0]?.int('vtcmBytes')).toBe(8_388_608);
    expect([metadata.get('chip'), metadata.get('quantization ar1/mask')]).toEqual(['SM8750', 'scale 0.125000, zero point 65535']);
  });
});

describeWith(newest, '%s', (_title, libraries) => {
  it('computes in ONNX Runtime what the binary does in the emulator', async ({ skip }) => {
    const python = pythonWith(join(scratch, 'venv'), ['onnxruntime==1.31.1', 'numpy', 'onnx']);
    if (python === undefined) return skip('no Python with ONNX Runtime');
    const { input, output } = readExecution(fixture('mini-llama-part1-ar1-cl256-v79.io.safetensors'));
    const emulated = await withChild(childOptionsOf(libraries), async (child) => {
      await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: 1, soc: 69 });
      return (await openBinary(child, libraries, MINI_LLAMA)).get(GRAPH)?.(input);
    });
    const binary = await inspectContextBinary(MINI_LLAMA, libraries);
    copyFileSync(MINI_LLAMA, join(scratch, 'part1.bin'));
    const model = written('part1.onnx', epContextModel(binary, GRAPH, 'part1.bin'));
    const outputs = join(scratch, 'outputs');
    mkdirSync(outputs);
    const asked = { model, provider: join(libraries.folder, 'libonnxruntime_providers_qnn.so'), backend: libraryPath(libraries, 'htp'), soc: 69, outputs, inputs: Object.fromEntries(Object.entries(input).map(([name, bytes]) => [name, written(`in-${name}`, bytes)])) };
    const run = spawnSync(python, [fileURLToPath(new URL('programs/run-ep-context.py', import.meta.url)), written('asked.json', Buffer.from(JSON.stringify(asked)))], { encoding: 'utf8', timeout: 120_000 });
    expect([run.status, run.stderr]).toEqual([0, '']);
    expect(Object.keys(output)).toHaveLength(3);
    for (const name of Object.keys(output)) {
      const codes = readFileSync(join(outputs, name));
      expect(codes.equals(Buffer.from(emulated?.[name]?.buffer as ArrayBuffer)), name).toBe(true);
      expect(codes.equals(Buffer.from(output[name] as Uint8Array)), name).toBe(true);
    }
    const sketch = written('sketch.onnx', onnxSketch({ name: 'part1.bin', operator: 'ContextBinaryGraph', graphs: binary.graphs, facts: [] }));
    for (const path of [sketch, model]) {
      const checked = spawnSync(python, ['-c', 'import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)', path], { encoding: 'utf8' });
      expect([checked.status, checked.stderr]).toEqual([0, '']);
    }
  });
});
