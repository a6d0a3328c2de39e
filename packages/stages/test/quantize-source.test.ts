/** Models that were quantized elsewhere, through the pipeline: files of AIMET 2.42, and what the pipeline itself wrote. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensorsHeader } from '@tundish/checkpoint';
import { DataType, type Model, type Node, type Tensor, bytesOf, encodeModel, inlineTensor } from '@tundish/graph';
import { causalMask } from '@tundish/quantize';
import { openContainer } from '@tundish/runtime';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import type { TensorData } from '@tundish/toolchain';
import { convertArCl } from '@tundish/transform';
import { beforeAll, describe, expect, test } from 'vitest';
import { type ModelFacts, type Pipeline, type StageInput, type UnitRun, readGraph, readJson, restoreContainer, ropeTables } from '../src/index.js';
import { Workspace, ran, repositoryPath } from './workspace.js';

const AIMET = repositoryPath('packages/quantize/test/fixtures/aimet-llama');
const recipe = (quantize: string): string => `checkpoint: ./checkpoint\ngraphs: { ar: [1, 8], cl: [32] }\nquantize: ${quantize}\n`;
const FROM_AIMET = recipe('{ source: { encodings: ./aimet/aimet_1.0.0.encodings, onnx: ./aimet/aimet_1.0.0.onnx } }');
const CALIBRATION = 'calibration: { text: ./calibration.txt, windows: 2, windowLength: 8 }';

function withAimet(text: string): Workspace {
  const workspace = Workspace.make(text);
  cpSync(AIMET, workspace.path('aimet'), { recursive: true });
  return workspace;
}

function wholeStage(pipeline: Pipeline, stage: string): Promise<StageInput> {
  return pipeline.input({ stage, subject: null });
}

/** sha256 of what later stages read of quantize, by name: all but the report. */
function digests(runs: ReadonlyMap<string, UnitRun>): Record<string, string> {
  const { outputs } = (runs.get('quantize') as UnitRun).manifest;
  return Object.fromEntries(outputs.filter(({ name }) => name !== 'quantize-report.json').map(({ name, sha256 }) => [name, sha256]));
}

function weightFiles(runs: ReadonlyMap<string, UnitRun>): Record<string, string> {
  return Object.fromEntries(Object.entries(digests(runs)).filter(([name]) => name.endsWith('.weights')));
}

async function reportOf(workspace: Workspace): Promise<Record<string, unknown>> {
  const { source } = await readJson<{ source: Record<string, unknown> }>(await wholeStage(await workspace.open({ inputsInPlace: true }), 'quantize'), 'quantize-report.json');
  return source;
}

async function expectedLogits(): Promise<(name: string) => Uint8Array> {
  const path = join(AIMET, 'expected.safetensors');
  const { tensors } = await readSafetensorsHeader(path);
  return (name) => {
    const { offset, length } = tensors.get(name) as { offset: number; length: number };
    return new Uint8Array(readFileSync(path).subarray(offset, offset + length));
  };
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return Math.sqrt(sum / a.length);
}

describe('files of AIMET', () => {
  let workspace: Workspace;
  let runs: ReadonlyMap<string, UnitRun>;
  beforeAll(async () => {
    workspace = withAimet(FROM_AIMET);
    runs = await workspace.build('package');
  });

  test('the weights are those that numpy rounds on the scales of the file, in AIMET\'s own graph', async () => {
    const expected = await expectedLogits();
    const pipeline = await workspace.open({ inputsInPlace: true });
    const [load, input] = [await wholeStage(pipeline, 'load'), await wholeStage(pipeline, 'quantize')];
    const { base } = await readJson<{ base: { ar: number; cl: number } }>(load, 'adaptation.json');
    const model = convertArCl(await readGraph(input), base, { ar: 8, cl: 9 });
    const opened = await hostReference().open({ model, resolve: (location) => input.resolve(location), threads: 1 });
    const rope = ropeTables((await readJson<ModelFacts>(load, 'model.json')).rope, 0, 8);
    const feeds = new Map<string, TensorData>(model.graph.inputs.map(({ name, shape }) => [name, new Float32Array((shape ?? []).reduce<number>((count, dim) => count * Number(dim), 1))]));
    feeds.set('input_ids', new Int32Array(expected('input_ids').buffer)).set('attention_mask', causalMask(8)).set('position_ids_cos', rope.cos).set('position_ids_sin', rope.sin);
    const logits = (await opened.run(feeds, ['logits'])).get('logits') as Float32Array;
    await opened.close();
    const [dequantized, float] = [new Float32Array(expected('dequantized').buffer), new Float32Array(expected('float').buffer)];
    expect(distance(dequantized, float)).toBeGreaterThan(0.4);
    expect(distance(logits, dequantized)).toBeLessThan(2e-5);
  });

  test('the container comes as near to AIMET\'s simulation as activations of 16 bits and a cache of 8 let it', async () => {
    const expected = await expectedLogits();
    const { folder } = await restoreContainer(await workspace.open({ inputsInPlace: true }));
    const session = await openContainer(folder, { toolchain: () => hostToolchain(), threads: 1 });
    const logits: number[] = [];
    for await (const rows of session.engine.score([...new Int32Array(expected('input_ids').buffer)])) logits.push(...rows);
    await session.close();
    const [simulated, float] = [new Float32Array(expected('simulated').buffer), new Float32Array(expected('float').buffer)];
    expect(distance(logits, simulated)).toBeLessThan(distance(float, simulated) / 8);
  });

  test('the other version of the same encodings gives the same codes', async () => {
    const other = withAimet(FROM_AIMET.replace('1.0.0.encodings', '2.0.0.encodings'));
    expect(weightFiles(await other.build('quantize'))).toEqual(weightFiles(runs));
  });

  test('nothing runs twice, wherever the files lie; a byte of any of them runs quantize again', async () => {
    expect(ran(await workspace.build('package'))).toEqual([]);
    for (const [file, change] of [
      // A field that no version of ONNX has: readers pass over it.
      ['aimet_1.0.0.onnx', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from([0xa0, 0x06, 0x01])])],
      ['aimet_1.0.0.encodings', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('\n')])],
      ['aimet_1.0.0.data', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from([0])])],
    ] as const) {
      const path = workspace.path(`aimet/${file}`);
      const before = readFileSync(path);
      writeFileSync(path, change(before));
      expect(ran(await workspace.build('quantize')), file).toEqual(['quantize']);
      writeFileSync(path, before);
    }
    cpSync(workspace.path('aimet'), workspace.path('elsewhere'), { recursive: true });
    workspace.write('recipe.yaml', FROM_AIMET.replaceAll('./aimet/', './elsewhere/'));
    expect(ran(await workspace.build('package'))).toEqual([]);
    workspace.write('recipe.yaml', FROM_AIMET);
    await workspace.lock();
  });

  test('files that changed after the lock are refused', async () => {
    const changed = withAimet(FROM_AIMET);
    await changed.lock();
    writeFileSync(changed.path('aimet/aimet_1.0.0.data'), Buffer.concat([readFileSync(changed.path('aimet/aimet_1.0.0.data')), Buffer.from([0])]));
    const pipeline = await changed.open();
    for (const stage of ['load', 'optimize']) await pipeline.run({ stage, subject: null });
    await expect(pipeline.run({ stage: 'quantize', subject: null })).rejects.toMatchObject({ code: 'STAGE_SOURCE_CHANGED', what: expect.stringContaining('quantize.source') as string });
  });

  test('weights alone, and files that are not there', async () => {
    const alone = withAimet(FROM_AIMET.replace('quantize: {', 'quantize: { activations: none,'));
    const weights = await alone.build('quantize');
    expect(weightFiles(weights)).toEqual(weightFiles(runs));
    expect(digests(weights)['activations.json']).toBeUndefined();
    await expect(withAimet(FROM_AIMET.replace('2.0.0', '1.0.0').replace('1.0.0.onnx', '3.0.0.onnx')).lock()).rejects.toMatchObject({ code: 'RECIPE_SOURCE_MISSING', what: './aimet/aimet_3.0.0.onnx was not found' });
    await expect(Workspace.make(FROM_AIMET).lock()).rejects.toMatchObject({ code: 'RECIPE_SOURCE_MISSING', what: './aimet/aimet_1.0.0.encodings was not found' });
  });

  test('what the encodings leave out is measured where a text is named, an error where not', async () => {
    const partial = withAimet(FROM_AIMET);
    const path = partial.path('aimet/aimet_1.0.0.encodings');
    const file = JSON.parse(readFileSync(path, 'utf8')) as { activation_encodings: { name: string }[] };
    file.activation_encodings = file.activation_encodings.filter(({ name }) => name !== '/model/layers.1/mlp/Mul_output_0');
    writeFileSync(path, JSON.stringify(file));
    await expect(partial.build('quantize')).rejects.toMatchObject({ code: 'QUANTIZE_SOURCE_COVERAGE', what: '1 activation(s) have no encoding: /model/layers.1/mlp/Mul_output_0' });
    partial.write('recipe.yaml', FROM_AIMET.replace(' } }\n', ` }, ${CALIBRATION} }\n`));
    const measured = await partial.build('quantize');
    expect(weightFiles(measured)).toEqual(weightFiles(runs));
    expect((await reportOf(partial))['missing']).toEqual(['/model/layers.1/mlp/Mul_output_0']);
    const activations = await readJson<Record<string, unknown>>(await wholeStage(await partial.open({ inputsInPlace: true }), 'quantize'), 'activations.json');
    const all = await readJson<Record<string, unknown>>(await wholeStage(await workspace.open({ inputsInPlace: true }), 'quantize'), 'activations.json');
    expect(Object.keys(all).filter((name) => JSON.stringify(all[name]) !== JSON.stringify(activations[name]))).toEqual(['/model/layers.1/mlp/Mul_output_0']);
    partial.write('recipe.yaml', FROM_AIMET.replace(' } }\n', ` }, ${CALIBRATION}, activations: { observer: { method: percentile, percentile: 99 } } }\n`));
    await partial.build('quantize');
    const clipped = await readJson<Record<string, unknown>>(await wholeStage(await partial.open({ inputsInPlace: true }), 'quantize'), 'activations.json');
    expect(Object.keys(all).filter((name) => JSON.stringify(activations[name]) !== JSON.stringify(clipped[name]))).toEqual(['/model/layers.1/mlp/Mul_output_0']);
  });
});

describe('what the pipeline wrote itself', () => {
  const OWN = recipe(`{ recipe: minmax, weights: { blockSize: 16 }, ${CALIBRATION} }`);

  /** Builds `quantize`, and its results as a source: of its encodings alone, or with a graph of its weights. */
  async function returned(quantize: string, version: '1.0.0' | '2.0.0', graph?: (quantized: StageInput, load: StageInput) => Promise<Model>): Promise<readonly [first: ReadonlyMap<string, UnitRun>, second: ReadonlyMap<string, UnitRun>, Workspace]> {
    const workspace = Workspace.make(quantize);
    const first = await workspace.build('quantize');
    const pipeline = await workspace.open({ inputsInPlace: true });
    const input = await wholeStage(pipeline, 'quantize');
    writeFileSync(workspace.path('own.encodings'), readFileSync(input.path(`encodings-${version}.json`)));
    if (graph !== undefined) writeFileSync(workspace.path('checkpoint/own.onnx'), encodeModel(await graph(input, await wholeStage(pipeline, 'load'))));
    workspace.write('recipe.yaml', recipe(`{ source: { encodings: ./own.encodings${graph === undefined ? '' : ', onnx: ./checkpoint/own.onnx'} } }`));
    return [first, await workspace.build('quantize'), workspace];
  }

  test.each([['1.0.0', ''], ['2.0.0', ''], ['1.0.0', ', kvCache: { bits: 16 }'], ['2.0.0', ', kvCache: { bits: 16 }']] as const)('encodings %s%s: the same codes, activations and graph, so that everything behind is the same', async (version, more) => {
    const [first, second, workspace] = await returned(OWN.replace('recipe: minmax', `recipe: minmax${more}`), version);
    expect(digests(second)).toEqual(digests(first));
    expect(second.get('quantize')?.manifest.facts).toEqual(first.get('quantize')?.manifest.facts);
    expect(await reportOf(workspace)).toMatchObject({ derived: [], missing: [], refitted: [] });
  });

  test('codes that were learned come back from the weights that they stand for', async () => {
    const learned = recipe(`{ recipe: gptaq, weights: { blockSize: 16 }, ${CALIBRATION.replace('windows: 2', 'windows: 4')} }`);
    const [first, second] = await returned(learned, '1.0.0', learnedWeights);
    const [plain] = await returned(OWN, '1.0.0');
    expect(weightFiles(second)).toEqual(weightFiles(first));
    expect(weightFiles(plain)['block-1.weights']).not.toEqual(weightFiles(first)['block-1.weights']);
  });
});

/** The graph of load with float32 projections inside the file: what the codes of `quantized` stand for. */
async function learnedWeights(quantized: StageInput, load: StageInput): Promise<Model> {
  const model = await readGraph(load);
  const { graph } = await readGraph(quantized);
  const bytes = (tensor: Tensor | undefined): Uint8Array => {
    if (tensor?.kind !== 'external') throw new TypeError('not in a file');
    return new Uint8Array(readFileSync(quantized.resolve(tensor.location)).subarray(tensor.offset, tensor.offset + tensor.length));
  };
  for (const node of graph.nodes.filter((candidate) => candidate.opType === 'DequantizeLinear' && candidate.int('block_size') !== undefined)) {
    const scale = node.input(1).producer as Node;
    const [codes, integers, channels] = [bytes(node.input(0).tensor), bytes((scale.input(0).producer as Node).input(0).tensor), new Float32Array(bytes(scale.input(1).tensor).buffer)];
    const blocks = integers.length / channels.length;
    const values = Float32Array.from({ length: 2 * codes.length }, (_, at) => {
      const block = Math.floor(at / (node.int('block_size') as number));
      const code = (((codes[at >> 1] as number) >> (at % 2 === 0 ? 0 : 4)) & 15) - 8;
      return code * Math.fround((integers[block] as number) * (channels[Math.floor(block / blocks)] as number));
    });
    const weight = model.graph.value(node.input(0).name);
    weight.tensor = inlineTensor(DataType.FLOAT, weight.tensor?.dims ?? [], bytesOf(values));
    weight.dtype = DataType.FLOAT;
  }
  return model;
}
