/** Conformance of failures: a clear error, soon, and nothing left behind. */
import assert from 'node:assert/strict';
import { TundishError } from '@tundish/diagnostics';
import { tinyInputs } from './tiny-encodings.js';
import type { Case } from './build-cases.js';
import { tinyModel } from './tiny-model.js';
import { SIZES, type Variant, type Workbench, leftIn, tensorData } from './workbench.js';

const VARIANT: Variant = { quantized: true, parts: 1 };

/** An error with a code that a user can look up, whose text names `part`. */
async function rejectsNaming(work: Promise<unknown>, part: string): Promise<void> {
  await assert.rejects(work, (error) => error instanceof TundishError && error.code !== '' && error.message.includes(part));
}

async function firstFeeds(bench: Workbench) {
  const executable = await bench.open(VARIANT, 1);
  const [graph] = executable.graphs;
  assert.ok(graph);
  const real = tinyInputs(graph.cell, 3);
  const inputs = new Map(graph.inputs.map((table) => [table.name, tensorData(table, real.get(table.name) ?? [])]));
  return { executable, graph, inputs };
}

export const FAILURE_CASES: readonly Case[] = [
  ['convert names a value that has no encoding', async (bench) => {
    const missing = '/model/layers.1/Add_output_0';
    const activations = new Map(bench.encodings.activations);
    activations.delete(missing);
    const model = tinyModel({ ar: 1, cl: 16, part: 1, parts: 1, quantized: true }, bench.weights);
    const request = { cell: { ar: 1, cl: 16, part: 1, parts: 1 }, model, encodings: { ...bench.encodings, activations }, options: {} };
    await rejectsNaming(bench.toolchain.convert(await bench.context(), request), missing);
  }],
  ['convert refuses a cache whose input and output have different encodings', async (bench) => {
    const name = 'past_key_1_in';
    const activations = new Map(bench.encodings.activations);
    activations.set(name, { kind: 'per-tensor', dtype: 'uint8', scale: 0.5, zeroPoint: 128, symmetric: true });
    const model = tinyModel({ ar: 1, cl: 16, part: 1, parts: 1, quantized: true }, bench.weights);
    const request = { cell: { ar: 1, cl: 16, part: 1, parts: 1 }, model, encodings: { ...bench.encodings, activations }, options: {} };
    await rejectsNaming(bench.toolchain.convert(await bench.context(), request), name);
  }],
  ['compile names a weight file that is missing, and cleans up', async (bench) => {
    const context = await bench.context();
    const folder = await bench.folder();
    await rejectsNaming(bench.compile(context, VARIANT, 1, SIZES, (location) => `${folder}/nowhere/${location}`), 'tiny.weights');
    assert.deepEqual(await leftIn(context.scratch), []);
  }],
  ['compile stops when it is cancelled, before and during the work, and cleans up', async (bench) => {
    for (const delay of [0, 40]) {
      const controller = new AbortController();
      const context = await bench.context(controller.signal);
      if (delay === 0) controller.abort();
      const reporter = { ...context.reporter, progress: () => void setTimeout(() => controller.abort(), delay) };
      await assert.rejects(bench.compile({ ...context, reporter }, VARIANT, 1));
      assert.deepEqual(await leftIn(context.scratch), []);
    }
  }],
  ['open names a file of the part that is missing', async (bench) => {
    const { result, files } = await bench.part(VARIANT, 1);
    for (const [name, path] of files) {
      const moved = new Map(files).set(name, `${path}-gone`);
      await rejectsNaming(bench.toolchain.open({ graphs: result.graphs, files: moved, threads: 1 }), name);
    }
  }],
  ['run names a graph that is not in the part', async (bench) => {
    const { executable, inputs } = await firstFeeds(bench);
    await rejectsNaming(executable.run('ar9_cl9_1_of_1', inputs), 'ar9_cl9_1_of_1');
    await rejectsNaming(executable.prepare('ar9_cl9_1_of_1'), 'ar9_cl9_1_of_1');
    await executable.close();
  }],
  ['run names an input that is missing, of the wrong size, of the wrong type, or unknown', async (bench) => {
    const { executable, graph, inputs } = await firstFeeds(bench);
    const without = new Map(inputs);
    without.delete('past_value_1_in');
    await rejectsNaming(executable.run(graph.name, without), 'past_value_1_in');
    await rejectsNaming(executable.run(graph.name, new Map(inputs).set('attention_mask', new Uint16Array(3))), 'attention_mask');
    await rejectsNaming(executable.run(graph.name, new Map(inputs).set('attention_mask', new Float32Array(graph.cell.cl))), 'attention_mask');
    await rejectsNaming(executable.run(graph.name, new Map(inputs).set('position_ids', new Int32Array(1))), 'position_ids');
    await executable.run(graph.name, inputs);
    await executable.close();
  }],
  ['run names an output that does not exist, and refuses after close', async (bench) => {
    const { executable, graph, inputs } = await firstFeeds(bench);
    await rejectsNaming(executable.run(graph.name, inputs, ['logit']), 'logit');
    await executable.close();
    await executable.close();
    await assert.rejects(executable.run(graph.name, inputs), TundishError);
  }],
];
