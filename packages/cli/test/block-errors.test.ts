/** Errors of each decoder block, on real builds of the bundled model. */
import { copyFileSync, openSync, readSync, writeSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { Sqnr, type BlockRow } from '@tundish/evaluate';
import { type Pipeline, type StageInput, readGraph } from '@tundish/stages';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { describe, expect, test } from 'vitest';
import { Workspace, repositoryPath, temporaryFolder } from '../../stages/test/workspace.js';
import { measureBlocks } from '../src/block-errors.js';
import { evaluationWindows } from '../src/evaluation-windows.js';
import { stageSource } from '../src/logit-sources.js';

const HEAD = 'checkpoint: ./checkpoint\nevaluate: { text: ./checkpoint/eval.txt, windowLength: 160 }\n';
const FULL = `${HEAD}quantize: { calibration: { text: ./checkpoint/calibration.txt, windows: 4, windowLength: 160 } }\n`;
const WEIGHTS_ONLY = `${HEAD}quantize: { activations: none }\n`;
const FLOAT = `${HEAD}quantize: none\n`;

const signal = new AbortController().signal;
const stage = (pipeline: Pipeline, name: 'load' | 'quantize'): Promise<StageInput> => pipeline.input({ stage: name, subject: null });

async function built(recipe: string): Promise<{ pipeline: Pipeline; windows: Int32Array[] }> {
  const workspace = Workspace.make(recipe, repositoryPath('models/llama32/checkpoint'));
  await workspace.build('quantize', { threads: 2 });
  const pipeline = await workspace.open();
  return { pipeline, windows: (await evaluationWindows({ limit: 2 }, pipeline)).windows };
}

async function measured(pipeline: Pipeline, windows: readonly Int32Array[], quantize?: StageInput): Promise<BlockRow[]> {
  return measureBlocks({
    load: await stage(pipeline, 'load'), measured: quantize ?? (await stage(pipeline, 'quantize')), windows,
    executor: hostReference(), toolchain: hostToolchain(), compileOptions: {}, threads: 2, signal,
  });
}

/** SQNR of the logits as `evaluate` gets them: the whole graph compiled, in chunks, through the engine. */
async function logitsOfEvaluate(pipeline: Pipeline, windows: readonly Int32Array[]): Promise<number> {
  const tokens = windows[0]?.length ?? 0;
  const [load, quantize] = [await stageSource(pipeline, 'load', tokens, { threads: 2, signal }), await stageSource(pipeline, 'quantize', tokens, { threads: 2, signal })];
  const meter = new Sqnr();
  for (const window of windows) {
    const chunks: Float32Array[] = [];
    for await (const chunk of load.score(window)) chunks.push(chunk.slice());
    for await (const chunk of quantize.score(window)) meter.add(chunks.shift() ?? new Float32Array(), chunk);
  }
  await Promise.all([load.close(), quantize.close()]);
  return meter.decibels;
}

/** The quantize stage with the last codes of one weight set to their lowest value, in a copy of its file. */
async function damaged(input: StageInput, weight: string): Promise<StageInput> {
  const tensor = (await readGraph(input)).graph.value(weight).tensor;
  if (tensor?.kind !== 'external') throw new Error(`${weight} is in no file`);
  const copy = join(temporaryFolder(), tensor.location);
  copyFileSync(input.resolve(tensor.location), copy);
  const file = openSync(copy, 'r+');
  const codes = Buffer.alloc(tensor.length);
  readSync(file, codes, 0, codes.length, tensor.offset);
  writeSync(file, codes.fill(0, codes.length / 2), 0, codes.length, tensor.offset);
  closeSync(file);
  return { ...input, path: (name) => input.path(name), resolve: (location) => (location === tensor.location ? copy : input.resolve(location)) };
}

const ARTIFACTS = ['weights', 'full'] as const;
const of = (rows: readonly BlockRow[], artifact: string, measure: 'stream' | 'own' | 'key' | 'value'): number[] => rows.map(({ artifacts }) => artifacts[artifact]?.[measure] ?? NaN);

describe('errors of a build with quantized activations', () => {
  test('end in the logits that evaluate sees, and a damaged block shows in its own error first', async () => {
    const { pipeline, windows } = await built(FULL);
    const rows = await measured(pipeline, windows);
    expect(rows.map(({ block }) => block)).toEqual(['embedding', '0', '1', '2', '3', 'logits']);
    expect(rows.map(({ artifacts }) => Object.keys(artifacts))).toEqual(rows.map(() => [...ARTIFACTS]));
    const last = of(rows, 'full', 'stream').at(-1) as number;
    expect(Math.abs(last - (await logitsOfEvaluate(pipeline, windows)))).toBeLessThan(0.05);
    for (const artifact of ARTIFACTS) {
      for (const decibels of [...of(rows, artifact, 'stream'), ...of(rows, artifact, 'own'), ...of(rows.slice(1, 5), artifact, 'key'), ...of(rows.slice(1, 5), artifact, 'value')]) expect(decibels).toBeGreaterThan(12);
      // Nothing but the grid of the embedding comes before block 0.
      for (const row of [0, 1]) expect(of(rows, artifact, 'own')[row]).toBeCloseTo(of(rows, artifact, 'stream')[row] as number, 2);
      // What a block adds is less than what has come together behind it.
      for (let row = 2; row < rows.length; row++) expect(of(rows, artifact, 'own')[row]).toBeGreaterThan(of(rows, artifact, 'stream')[row] as number);
    }
    // The cache has 8 bits, and only in the full build.
    for (let row = 1; row < 5; row++) expect(of(rows, 'full', 'key')[row]).toBeLessThan(of(rows, 'weights', 'key')[row] as number);

    const broken = await measured(pipeline, windows, await damaged(await stage(pipeline, 'quantize'), 'model.layers.1.mlp.down_proj.weight'));
    for (const artifact of ARTIFACTS) {
      const [before, after] = [of(rows, artifact, 'own'), of(broken, artifact, 'own')];
      expect(after[2]).toBeLessThan((before[2] as number) - 10);
      expect(after.filter((_, row) => row !== 2)).toEqual(before.filter((_, row) => row !== 2));
      const [healthy, sick] = [of(rows, artifact, 'stream'), of(broken, artifact, 'stream')];
      expect(sick.slice(0, 2)).toEqual(healthy.slice(0, 2));
      for (let row = 2; row < rows.length; row++) expect(sick[row]).toBeLessThan((healthy[row] as number) - 3);
    }
  });
});

test('of a build of weights only end in the logits that evaluate sees', async () => {
  const { pipeline, windows } = await built(WEIGHTS_ONLY);
  const rows = await measured(pipeline, windows);
  expect(rows.map(({ artifacts }) => Object.keys(artifacts))).toEqual(rows.map(() => ['weights']));
  expect(Math.abs((of(rows, 'weights', 'stream').at(-1) as number) - (await logitsOfEvaluate(pipeline, windows)))).toBeLessThan(0.001);
});

test('of a build in floating point are none', async () => {
  const { pipeline, windows } = await built(FLOAT);
  const rows = await measured(pipeline, windows);
  expect(rows).toHaveLength(6);
  for (const { artifacts } of rows) {
    expect(Object.keys(artifacts)).toEqual(['float']);
    expect([...new Set(Object.values(artifacts['float'] ?? {}))]).toEqual([Infinity]);
  }
});
