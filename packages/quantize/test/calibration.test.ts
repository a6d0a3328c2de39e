import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordingReporter, silentReporter } from '@tundish/diagnostics';
import { DataType, Graph, cloneModel } from '@tundish/graph';
import { loadKernels } from '@tundish/native';
import { QUANTIZE_RECIPES } from '@tundish/recipe/technique';
import { hostReference } from '@tundish/toolchain-host';
import { describe, expect, test } from 'vitest';
import { observedValues } from '../src/calibration/activations.js';
import { observeSegment } from '../src/calibration/observe.js';
import { windowFeeds } from '../src/calibration/windows.js';
import { type QuantizeRequest, documentOf, quantizeModel, writeEncodings } from '../src/index.js';
import { segmentAt, segmentCount } from '../src/segments.js';
import { type AdaptedCheckpoint, adapt, repositoryPath, temporaryFolder } from './adapted.js';

const signal = new AbortController().signal;
const BUNDLED = repositoryPath('models/llama32/checkpoint');

describe('the observer', () => {
  test('sees what a naive minimum and maximum over all windows see', async () => {
    const adapted = await adapt(repositoryPath('test/fixtures/golden/llama-bias-fp32'), 10, 11);
    const calibration = adapted.calibration(3, 10);
    const segment = { name: 'all', model: adapted.model, input: undefined, output: 'logits' };
    const feeds = (index: number): ReturnType<typeof windowFeeds> => windowFeeds(calibration, segment, index, undefined);
    const { ranges } = await observeSegment({ segment: adapted.model, observer: { method: 'minmax' }, executor: hostReference(), resolve: adapted.resolve, threads: 2, windows: 3, feeds, signal, reporter: silentReporter });

    const everything = cloneModel(adapted.model);
    const names = observedValues(everything.graph).map(({ name }) => name);
    everything.graph.outputs.splice(0, Infinity, ...names.map((name) => everything.graph.value(name)));
    const opened = await hostReference().open({ model: everything, resolve: adapted.resolve, threads: 1 });
    const naive = new Map<string, { min: number; max: number }>(names.map((name) => [name, { min: Infinity, max: -Infinity }]));
    for (let index = 0; index < 3; index++) {
      for (const [name, data] of await opened.run(feeds(index), names)) {
        const known = naive.get(name) as { min: number; max: number };
        for (const value of data) {
          known.min = Math.min(known.min, value);
          known.max = Math.max(known.max, value);
        }
      }
    }
    await opened.close();
    expect([...ranges.keys()]).toEqual(names);
    for (const [name, range] of naive) expect(ranges.get(name), name).toEqual(range);
    // The model is left without probes.
    expect(adapted.model.graph.outputs.map(({ name }) => name).filter((name) => name.endsWith('/min'))).toEqual([]);
  });

  test.each([[0, 0], [17, 1], [999, 0]])('one NaN at %i of window %i is not lost among finite values', async (at, window) => {
    const graph = new Graph('nan');
    const x = graph.addInput('hidden', DataType.FLOAT, [1000]);
    const y = graph.addNode({ opType: 'Neg', name: '/y', inputs: [x], outputs: ['y'] }).output();
    y.dtype = DataType.FLOAT;
    y.shape = [1000];
    graph.outputs.push(y);
    const model = { irVersion: 11, opsetImports: new Map([['', 23]]), producerName: 'test', metadata: new Map(), graph };
    const feeds = (index: number): Map<string, Float32Array> => new Map([['hidden', Float32Array.from({ length: 1000 }, (_, i) => (i === at && index === window ? NaN : i))]]);
    const { ranges: observed } = await observeSegment({ segment: model, observer: { method: 'minmax' }, executor: hostReference(), resolve: (name) => name, threads: 1, windows: 2, feeds, signal, reporter: silentReporter });
    expect(observed.get('y')).toEqual({ min: NaN, max: NaN });
  });
});

test('segments are the embedding, each block and the head; each reads the stream that the one before gives', async () => {
  const { model, plan, adaptation } = await adapt(repositoryPath('test/fixtures/golden/llama-mha-fp32'), 4, 5);
  const segments = Array.from({ length: segmentCount(plan) }, (_, i) => segmentAt(model, plan, i));
  expect(segments.map(({ name }) => name)).toEqual(['embedding', ...adaptation.layers.map(({ index }) => `block-${index}`), 'lm_head']);
  segments.slice(1).forEach(({ input }, i) => expect(input).toBe(segments[i]?.output));
  const owned = segments.map((segment) => segment.model.graph.initializers.map(({ name }) => name).filter((name) => name.endsWith('.weight')));
  expect(owned[1]?.every((name) => name.startsWith('model.layers.0.'))).toBe(true);
  expect(owned.at(-1)).toEqual(['model.norm.weight', 'lm_head.weight']);
});

async function run(adapted: AdaptedCheckpoint, threads: number, change: Partial<QuantizeRequest> = {}): Promise<string> {
  const folder = temporaryFolder();
  const { files, encodings, maskValue } = await quantizeModel({
    model: adapted.model,
    plan: adapted.plan,
    weights: { schemes: { scheme: { scheme: 'lpbq', bits: 4, blockSize: 32 } }, embeddingBits: 16, technique: QUANTIZE_RECIPES.minmax },
    activations: true,
    kernels: loadKernels(),
    calibration: { model: adapted.model, inputs: adapted.calibration(2, 24), executor: hostReference() },
    resolve: adapted.resolve,
    folder,
    threads,
    signal,
    reporter: silentReporter,
    ...change,
  });
  const hash = createHash('sha256').update([...writeEncodings(documentOf(encodings))].join('')).update(String(maskValue));
  for (const [name, path] of files) hash.update(name).update(readFileSync(path));
  expect([...files.values()].every((path) => path === join(folder, path.slice(folder.length + 1)))).toBe(true);
  return hash.digest('hex');
}

test('the bundled checkpoint gives the same bytes twice, with 1 and 2 threads, from C++ and from TypeScript', async () => {
  const adapted = await adapt(BUNDLED, 24, 25);
  const first = await run(adapted, 1);
  expect(await run(adapted, 1)).toBe(first);
  expect(await run(adapted, 2)).toBe(first);
  expect(await run(adapted, 2, { kernels: loadKernels({ allow: 'typescript' }) })).toBe(first);
  expect(await run(adapted, 1, { calibration: { model: adapted.model, inputs: adapted.calibration(1, 24), executor: hostReference() } })).not.toBe(first);
});

test('an abort stops between blocks with the reason that was given, and progress counts them', async () => {
  const adapted = await adapt(BUNDLED, 24, 25);
  const controller = new AbortController();
  const steps: number[] = [];
  const reporter = { ...recordingReporter(), progress: ({ done }: { done: number }): void => {
    steps.push(done);
    if (done === 2) controller.abort(new TypeError('stopped by the test'));
  } };
  await expect(run(adapted, 1, { signal: controller.signal, reporter })).rejects.toThrow('stopped by the test');
  expect(steps).toEqual([0, 1, 2]);
});
