/** The lint of encodings as a check of stages: what a stage makes or carries is held against the rules before it is kept. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordingReporter, silentReporter } from '@tundish/diagnostics';
import { DataType, type Encodings, Graph, type PerTensorEncoding } from '@tundish/graph';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Pipeline, type StageRequest, inputsOf, stageOf, unitName, unitsOf } from '../src/index.js';
import { checkEncodings } from '../src/check-encodings.js';
import { ACTIVATIONS_FILE } from '../src/graph-files.js';
import { unitOptions } from '../src/unit-options.js';
import { QUANTIZED_RECIPE, Workspace, temporaryFolder } from './workspace.js';

const u16 = (scale: number, zeroPoint = 7): PerTensorEncoding => ({ kind: 'per-tensor', dtype: 'uint16', scale, zeroPoint, symmetric: false });

describe('checkEncodings', () => {
  const graph = new Graph('one');
  const x = graph.addInput('hidden', DataType.FLOAT, [4]);
  for (const name of ['a', 'b', 'c', 'd']) graph.outputs.push(Object.assign(graph.addNode({ opType: 'Sigmoid', inputs: [x], outputs: [name] }).output(), { dtype: DataType.FLOAT }));
  const unit = u16(1 / 65535, 0);
  const encodings = (change: Readonly<Record<string, PerTensorEncoding>>): Encodings => ({ activations: new Map(Object.entries({ hidden: u16(1), a: unit, b: unit, c: unit, d: unit, ...change })), parameters: new Map() });

  test('says nothing of encodings that keep the rules', () => {
    const reporter = recordingReporter();
    checkEncodings(graph, encodings({}), reporter);
    expect(reporter.warnings).toEqual([]);
  });

  test('names the first error of a rule and counts the others, with what to do', () => {
    const wrong = encodings({ a: u16(1), b: u16(1), c: u16(1), d: u16(1) });
    expect(() => checkEncodings(graph, wrong, silentReporter)).toThrow(expect.objectContaining({ code: 'STAGE_ENCODINGS', what: expect.stringMatching(/^4 encoding\(s\) break a rule: a spans .* \(unit-interval\); and 3 more$/) as string, why: 'results of Softmax and Sigmoid span [0, 1]', fix: expect.stringMatching(/^a: offset 0/) as string }) as Error);
  });

  test('reports warnings and goes on', () => {
    const reporter = recordingReporter();
    checkEncodings(graph, encodings({ elsewhere: u16(1) }), reporter);
    expect(reporter.warnings).toEqual(['encodings: elsewhere is not in the graph (known-tensor)']);
  });
});

describe('transform', () => {
  let workspace: Workspace;
  let pipeline: Pipeline;
  beforeAll(async () => {
    workspace = Workspace.make(QUANTIZED_RECIPE.replace('graphs:', 'transform: { mha2sha: true }\ngraphs:'));
    await workspace.build('arcl');
    pipeline = await workspace.open({ inputsInPlace: true });
  });

  /** Runs the first cell over activations that were changed on the way. */
  async function transformed(change: (activations: Record<string, PerTensorEncoding>) => void): Promise<void> {
    const unit = unitsOf(pipeline.lock).find(({ stage }) => stage === 'transform');
    if (unit === undefined) throw new Error('the lock has no cell');
    const inputs: StageRequest<unknown>['inputs'] = new Map(await Promise.all(inputsOf(pipeline.lock, unit).map(async (input) => {
      const found = await pipeline.input(input);
      const activations = JSON.parse(readFileSync(found.path(ACTIVATIONS_FILE), 'utf8')) as Record<string, PerTensorEncoding>;
      change(activations);
      const changed = join(temporaryFolder(), ACTIVATIONS_FILE);
      writeFileSync(changed, JSON.stringify(activations));
      return [unitName(input), { ...found, manifest: found.manifest, resolve: (name: string) => found.resolve(name), path: (name: string) => (name === ACTIVATIONS_FILE ? changed : found.path(name)) }] as const;
    })));
    const stage = await stageOf('transform');
    await stage.run({
      signal: new AbortController().signal, reporter: silentReporter, adapters: { toolchain: () => hostToolchain(), reference: () => hostReference() }, scratch: temporaryFolder(), threads: 1,
      checkpoint: () => pipeline.checkpoint(), projectFile: (relative) => workspace.path(relative), piece: () => Promise.reject(new Error('transform has no pieces')),
    }, { options: unitOptions(pipeline.lock, unit), subject: unit.subject, inputs, source: new Map(), toolchain: await hostToolchain().identity() });
  }

  test('goes through with what quantize made', async () => {
    await transformed(() => undefined);
  });

  test.each<[string, RegExp, (activations: Record<string, PerTensorEncoding>) => void]>([
    ['Softmax that does not span [0, 1]', /unit-interval/, (activations) => Object.keys(activations).filter((name) => name.includes('Softmax')).forEach((name) => (activations[name] = u16(1)))],
    ['masked scores without their margin', /masked-range/, (activations) => Object.keys(activations).filter((name) => name.endsWith('attention_mask')).forEach((name) => (activations[name] = u16(1 / 65535, 65535)))],
    ['a cache that is not symmetric', /movement.*cache-form/, (activations) => Object.keys(activations).filter((name) => name.startsWith('past_')).forEach((name) => (activations[name] = { ...(activations[name] as PerTensorEncoding), zeroPoint: 127, symmetric: false }))],
  ])('%s stops it', async (_what, rule, change) => {
    await expect(transformed(change)).rejects.toMatchObject({ code: 'STAGE_ENCODINGS', what: expect.stringMatching(rule) as string });
  });
});
