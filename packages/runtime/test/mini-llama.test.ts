/** The engine on the bundled checkpoint in floating point: its greedy continuations are those of the reference implementation. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { architectureFor, architectures, chooseBase } from '@tundish/architectures';
import { openCheckpoint, ropeFrequencies } from '@tundish/checkpoint';
import type { Model } from '@tundish/graph';
import { graphName } from '@tundish/toolchain';
import type { Executable, GraphIo, IoTensor, OpenedModel } from '@tundish/toolchain';
import { hostReference } from '@tundish/toolchain-host';
import { convertArCl } from '@tundish/transform';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Engine } from '../src/engine.js';
import { GREEDY, Sampler } from '../src/sampler.js';

const FOLDER = fileURLToPath(new URL('../../../models/llama32/checkpoint/', import.meta.url));
const ARS = [1, 8];
const CONTEXT_LENGTHS = [32, 96];

interface Reference {
  readonly greedy: readonly { readonly prompt: string; readonly ids: readonly number[]; readonly continuation: readonly number[] }[];
}
const reference = JSON.parse(readFileSync(join(FOLDER, 'reference.json'), 'utf8')) as Reference;
const opened: OpenedModel[] = [];
let engine: Engine;

beforeAll(async () => {
  const checkpoint = await openCheckpoint(FOLDER, { knownModelTypes: [...architectures.keys()] });
  const { config } = checkpoint;
  const architecture = architectureFor(config.modelType);
  const base = chooseBase(architecture.sizes(config));
  const { model } = architecture.adapt(checkpoint, { baseAr: base.ar, baseCl: base.cl });
  const runs = new Map<string, OpenedModel>();
  const graphs: GraphIo[] = [];
  for (const ar of ARS) {
    for (const cl of CONTEXT_LENGTHS) {
      const graph = convertArCl(model, base, { ar, cl });
      const cell = { ar, cl, part: 1, parts: 1 };
      const run = await hostReference().open({ model: graph, resolve: (location) => join(FOLDER, location), threads: 1 });
      opened.push(run);
      runs.set(graphName(cell), run);
      graphs.push({ name: graphName(cell), cell, ...tableOf(graph) });
    }
  }
  const executable: Executable = {
    graphs,
    run: (name, inputs, outputs) => runs.get(name)?.run(inputs, outputs) ?? Promise.reject(new RangeError(name)),
    prepare: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  engine = new Engine([executable], { vocabularySize: config.vocabSize, rope: ropeFrequencies(config), maskValue: -1e4, padToken: 4092 });
});
afterAll(async () => {
  for (const run of opened) await run.close();
});

it.each(reference.greedy.map(({ prompt }, index) => [prompt, index] as const))('continues %j, from the prompt and from the middle', async (_, index) => {
  const { ids, continuation } = reference.greedy[index] ?? { ids: [], continuation: [] };
  const sampler = new Sampler(GREEDY);
  for (const given of [0, 30]) {
    engine.reset();
    const found = continuation.slice(0, given);
    let logits = await engine.prefill([...ids, ...found]);
    while (found.length < continuation.length) {
      found.push(sampler.next(logits, []));
      logits = await engine.step(found.at(-1) as number);
    }
    expect(found).toEqual(continuation);
  }
  expect(engine.contextLength).toBe(96);
});

it('reads a conversation on from a rewound cache as from an empty one', async () => {
  const { ids, continuation } = reference.greedy[0] ?? { ids: [], continuation: [] };
  const other = reference.greedy[1] ?? { ids: [], continuation: [] };
  const kept = ids.length + 7;
  const conversation = [...ids, ...continuation.slice(0, 7), ...other.ids];
  const greedy = async (tokens: readonly number[]): Promise<{ first: Float32Array; found: number[] }> => {
    const first = await engine.prefill(tokens);
    const found = [];
    for (let logits = first; found.length < 24; logits = await engine.step(found.at(-1) as number)) found.push(new Sampler(GREEDY).next(logits, []));
    return { first, found };
  };
  engine.reset();
  const fresh = await greedy(conversation);
  engine.reset();
  await engine.prefill(ids);
  for (const id of continuation) await engine.step(id);
  engine.rewind(kept);
  const reused = await greedy(conversation.slice(kept));
  expect(reused.found).toEqual(fresh.found);
  // Blocks of another width sum in another order.
  const worst = fresh.first.reduce((most, logit, i) => Math.max(most, Math.abs(logit - (reused.first[i] as number))), 0);
  expect(worst).toBeLessThan(1e-3);
});

function tableOf(model: Model): { inputs: IoTensor[]; outputs: IoTensor[] } {
  const describe = (value: Model['graph']['inputs'][number]): IoTensor => ({
    name: value.name, dtype: value.name === 'input_ids' ? 'int32' : 'float32', shape: (value.shape ?? []).map(Number),
  });
  return { inputs: model.graph.inputs.map(describe), outputs: model.graph.outputs.map(describe) };
}
