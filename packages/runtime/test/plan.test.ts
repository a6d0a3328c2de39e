/** A container whose graphs do not fit each other is refused before anything runs. */
import type { Executable, GraphIo, IoTensor } from '@tundish/toolchain';
import { describe, expect, it } from 'vitest';
import { Engine } from '../src/engine.js';
import { TINY_MODEL, tinyParts } from './tiny-transformer.js';

type Edit = (io: GraphIo) => GraphIo | undefined;

function broken(edit: Edit): Executable[] {
  const parts = tinyParts({ ars: [1, 4], contextLengths: [10, 24], parts: [['embed', 'layer0'], ['layer1', 'head']], quantized: true });
  return parts.map((part) => ({ ...part, graphs: part.graphs.map(edit).filter((io) => io !== undefined) }));
}

function tensor(name: string, change: (t: IoTensor) => IoTensor, on: (io: GraphIo) => boolean = () => true): Edit {
  const apply = (list: readonly IoTensor[]): IoTensor[] => list.map((t) => (t.name === name ? change(t) : t));
  return (io) => (on(io) ? { ...io, inputs: apply(io.inputs), outputs: apply(io.outputs) } : io);
}

const one = (io: GraphIo): boolean => io.name === 'ar4_cl24_2_of_2';
const cases: [string, Edit, RegExp][] = [
  ['a missing graph', (io) => (one(io) ? undefined : io), /lacks the graph of AR 4, CL 24, part 2 of 2/],
  ['a foreign name', (io) => (one(io) ? { ...io, name: 'prefill' } : io), /graph prefill is not named after/],
  ['a name that lies', (io) => (one(io) ? { ...io, name: 'ar4_cl10_2_of_2' } : io), /is not named after its AR/],
  ['a boundary in another encoding', tensor('hidden_1', (t) => ({ ...t, quantization: { scale: 1, zeroPoint: 0 } }), (io) => io.cell.part === 2), /takes hidden_1 in another type, shape or encoding/],
  ['tables that are rounded in two ways', tensor('position_ids_cos', (t) => ({ ...t, quantization: { scale: 1, zeroPoint: 0, ...t.quantization, rounding: 'down' } }), (io) => io.cell.part === 2), /takes position_ids_cos in another type, shape or encoding/],
  ['a boundary that nobody gives', tensor('hidden_1', (t) => ({ ...t, name: 'other' }), (io) => io.cell.part === 2), /takes other, which no earlier part gives/],
  ['a mask of another width', tensor('attention_mask', (t) => ({ ...t, shape: [1, 1, 4, 23] }), (io) => io.cell.ar === 4 && io.cell.cl === 24), /attention_mask of AR 4, CL 24 is \[1,1,4,23\] instead of \[1,1,4,24\]/],
  ['other logits', tensor('logits', (t) => ({ ...t, shape: [1, t.shape[1] ?? 0, 12] })), /logits .* instead of \[1,1,13\]/],
  ['float ids', tensor('input_ids', (t) => ({ ...t, dtype: 'float32' })), /input_ids of AR 1, CL 10 is float32/],
  ['a cache that is not tied', tensor('past_key_1_out', (t) => ({ ...t, quantization: { scale: 1, zeroPoint: 128 } })), /past_key_1_in and past_key_1_out .* different encodings/],
  ['a cache that is not given back', tensor('past_key_1_out', (t) => ({ ...t, name: 'past_key_7_out' })), /takes past_key_1_in but does not give it back/],
  ['caches that differ between graphs', (io) => (one(io) ? ['past_key_1_in', 'past_key_1_out'].reduce((g, n) => tensor(n, (t) => ({ ...t, quantization: { scale: 1, zeroPoint: 128 } }))(g) as GraphIo, io) : io), /caches of AR 4, CL 24 differ/],
  ['a cache of another length', tensor('past_value_0_in', (t) => ({ ...t, shape: [2, 1, 5, 4] })), /axis 2 of 4 must be 9/],
];

describe('planExecution', () => {
  it.each(cases)('refuses %s', (_, edit, message) => {
    expect(() => new Engine(broken(edit), TINY_MODEL)).toThrow(message);
  });

  it('refuses rope values of another width and an empty container', () => {
    const model = { ...TINY_MODEL, rope: { inverseFrequencies: [1], attentionScaling: 1 } };
    expect(() => new Engine(broken((io) => io), model)).toThrow(/position_ids_cos .* is \[1,1,1,2\] instead of \[1,1,1,1\]/);
    expect(() => new Engine([], TINY_MODEL)).toThrow(/lacks every graph/);
  });
});
