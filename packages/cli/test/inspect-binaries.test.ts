/** inspect on files of the vendor's compiler, ours and others', with its libraries: text, JSON, and pictures that viewers open. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeModel } from '@tundish/graph';
import { ELEMENT_CODES, type QairtLibraries, type QnnGraphPlan, TENSOR_KINDS, writeDlc } from '@tundish/toolchain-qairt';
import { beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { describeWith, realLibraries } from '../../toolchain-qairt/test/real-libraries.js';
import { repositoryPath, temporaryFolder } from '../../stages/test/workspace.js';
import { json, main } from './built-model.js';

const fixture = (name: string): string => repositoryPath(`test/fixtures/qnn/${name}`);
const here = { root: temporaryFolder() };
const real = realLibraries();
beforeAll(ensureAddon);

interface Found {
  readonly chip: string | null;
  readonly hexagon: number | null;
  readonly graphs?: readonly { readonly name: string; readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[] }[];
  readonly unread?: string;
}

async function picture(...words: string[]): Promise<ReturnType<typeof decodeModel>> {
  const target = join(temporaryFolder(), 'picture.onnx');
  await main(here, 'inspect', ...words, '--onnx', target);
  return decodeModel(readFileSync(target), { declaredShapes: true });
}

/** y = x + x, codes of 16 bits. */
function additionPlan(): QnnGraphPlan {
  const codes = { element: ELEMENT_CODES.UFIXED_POINT_16, dims: [1, 1, 4, 32], quantization: { kind: 'scale_offset', scale: 0.125, offset: -128 } } as const;
  const [x, y] = [{ name: 'x', kind: TENSOR_KINDS.input, ...codes }, { name: 'y', kind: TENSOR_KINDS.output, ...codes }];
  return { name: 'addition', inputs: [x], outputs: [y], tensors: [x, y], operations: [{ name: 'add', type: 'ElementWiseAdd', inputs: ['x', 'x'], outputs: ['y'], parameters: [] }] };
}

it('draws nothing of what has no compiled graphs', async () => {
  const target = join(temporaryFolder(), 'picture.onnx');
  expect(await main(here, 'inspect', fixture('mini-llama-part1-ar1-cl256-v79.json'), '--onnx', target)).toMatchObject({ code: 3 });
  expect(await main(here, 'inspect', fixture('qnn_multi_ctx_external.onnx'), '--onnx', target)).toMatchObject({ code: 3, stderr: expect.stringContaining('CLI_INSPECT_SKETCH') as string });
  expect(existsSync(target)).toBe(false);
});

describeWith(real.slice(0, 1), '%s', (_title, libraries) => {
  it('names the chip of a binary that another compiler made, and draws its graphs', async () => {
    const found = json<Found>(await main(here, 'inspect', fixture('stories260k_context.bin'), '--json'));
    expect([found.chip, found.hexagon]).toEqual(['SM8650', 75]);
    expect((await main(here, 'inspect', fixture('stories260k_context.bin'))).stdout).toMatch(/^chip: +SM8650, SoC id 57, Hexagon v75$/m);
    const { graph, metadata } = await picture(fixture('stories260k_context.bin'));
    expect(graph.nodes.map(({ name, opType }) => [name, opType])).toEqual([['kv_forward', 'ContextBinaryGraph'], ['prefill_forward', 'ContextBinaryGraph']]);
    expect(graph.inputs.map(({ name, shape }) => [name, shape])).toEqual((found.graphs ?? []).flatMap(({ name, inputs }) => inputs.map((input) => [`${name}/${input.name}`, input.shape])));
    expect(metadata.get('chip')).toBe('SM8650, SoC id 57, Hexagon v75');
    expect(metadata.get('quantization kv_forward/input_2_args_0@0')).toBe('scale 0.187365, zero point 128');
  });

  it('knows no chip of a binary that states none', async () => {
    const old = fixture('add_add_1_quant.onnx_ctx.onnx_QNNExecutionProvider_QNN_13756297062807309455_1_0.bin');
    expect(json<Found>(await main(here, 'inspect', old, '--json'))).toMatchObject({ chip: null, hexagon: null });
    expect((await picture(old)).graph.inputs.map(({ name, shape }) => [name, shape])).toEqual([['input', [3, 4]]]);
  });

  it('reads the graphs of a container, and of one that is too old says why not', async () => {
    const target = await writtenDlc(libraries);
    const found = json<Found & { readonly metadata: Record<string, string> }>(await main(here, 'inspect', target, '--json'));
    expect(found.graphs).toMatchObject([{ name: 'addition', inputs: [{ name: 'x', shape: [1, 1, 4, 32], dtype: 'UFIXED_POINT_16', quantization: { scale: 0.125, offset: -128 } }], outputs: [{ name: 'y' }] }]);
    expect(Object.values(found.metadata)).toContain('qnn-net-run');
    const { graph } = await picture(target);
    expect(graph.nodes.map(({ name, opType }) => [name, opType])).toEqual([['addition', 'ContainerGraph']]);
    expect(json<Found>(await main(here, 'inspect', fixture('test_abs_q.dlc'), '--json')).unread).toContain('QAIRT_DLC_FORM');
    expect(await main(here, 'inspect', fixture('test_abs_q.dlc'), '--onnx', join(here.root, 'none.onnx'))).toMatchObject({ code: 3, stderr: expect.stringContaining('CLI_INSPECT_SKETCH') as string });
  });
});

async function writtenDlc(libraries: QairtLibraries): Promise<string> {
  const target = join(temporaryFolder(), 'addition.dlc');
  await writeDlc(libraries, additionPlan(), {}, target);
  return target;
}
