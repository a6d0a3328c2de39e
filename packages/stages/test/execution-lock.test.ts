/** What runs in place of a device: the same quantized model, in the emulator or simulated, with what convert was told. */
import { emulatorLock, simulationLock } from '@tundish/stages/lock';
import { describe, expect, it } from 'vitest';
import { resolve } from '../../recipe/test/resolving.js';

const DEVICE = 'toolchain: qairt\nchipset: [sm8750, sm8650]\ngraphs: { ar: [1, 32], cl: [512], parts: 1 }';

describe.each([['', {}], ['\nconvert: { rotaryEmbedding: operation }', { rotaryEmbedding: 'operation' }]])('a recipe with%s', (convert, options) => {
  const lock = resolve(`${DEVICE}${convert}`);

  it('is simulated by the host with the form of rotary embeddings that the device has', () => {
    const { stages, parts, cells } = simulationLock(lock, 'onnxruntime 1.30.0');
    expect(stages.convert).toEqual({ options: { ...options, numerics: 'htp' }, toolchain: { name: 'host', version: 'onnxruntime 1.30.0' } });
    expect(stages.quantize).toEqual(lock.stages.quantize);
    expect([Object.keys(parts), cells]).toEqual([['part1of1'], lock.cells]);
  });

  it('runs in the emulator from the same converted graphs, for one chip', () => {
    const { stages, parts } = emulatorLock(lock, 'sm8650');
    expect(stages.convert).toEqual(lock.stages.convert);
    expect(stages.convert.options).toEqual(options);
    expect(Object.values(parts).map(({ chip }) => chip)).toEqual(['SM8650']);
  });
});

it('is nothing for a model of the host', () => {
  expect(() => simulationLock(resolve(''), 'onnxruntime 1.30.0')).toThrow(/STAGE_EXECUTION/);
});
