/** Recipes for devices: what the lock says of chips, parts and bundles. */
import { describe, expect, it } from 'vitest';
import { encodeLock } from '../src/lock.js';
import { parseLock } from '../src/parse-lock.js';
import { resolve } from './resolving.js';

const DEVICE = 'toolchain: qairt\nchipset: snapdragon-8-elite\ngraphs: { ar: [1, 32], cl: [256, 512], parts: 2 }\n';

describe('a recipe for one chip', () => {
  it('has the chip by its own name, all of its memory, and one operation a head', () => {
    const { stages, parts } = resolve(DEVICE);
    expect(stages.compile.options).toEqual({ chips: [{ name: 'SM8750', vtcmMb: 8, weightSharing: true }], optimizationLevel: 3, dlbc: false });
    expect(stages.package.options).toEqual({ profile: 'burst', domain: 'unsigned', spillFillMb: 0, stopSequences: [] });
    expect(stages.transform.options).toEqual({ mha2sha: true });
    expect(Object.keys(parts)).toEqual(['part1of2-sm8750', 'part2of2-sm8750']);
    expect(parts['part1of2-sm8750']).toMatchObject({ chip: 'SM8750', part: 1, parts: 2 });
  });

  it('says what the recipe says, under every name of the chip, and is read back', () => {
    const lock = resolve(`${DEVICE}compile: { vtcmMb: 4, optimizationLevel: 2, dlbc: true, hvxThreads: 4, weightSharing: false }\npackage: { profile: balanced, domain: signed, system: linux, folder: /opt/m, spillFillMb: 16, stopSequences: [End] }\n`);
    expect(lock.stages.compile.options).toEqual({ chips: [{ name: 'SM8750', vtcmMb: 4, weightSharing: false }], optimizationLevel: 2, dlbc: true, hvxThreads: 4 });
    expect(lock.stages.package.options).toEqual({ profile: 'balanced', domain: 'signed', system: 'linux', folder: '/opt/m', spillFillMb: 16, stopSequences: ['End'] });
    expect(parseLock(encodeLock(lock), 'recipe.lock.json')).toEqual(lock);
    expect(resolve(DEVICE.replace('snapdragon-8-elite', 'SM8750'))).toEqual(resolve(DEVICE));
  });

  it('says half precision where it is asked for, and nothing of it elsewhere', () => {
    const WEIGHTS_ONLY = 'quantize: { activations: none, recipe: fast, weights: { scheme: per_channel, bits: 4 } }\n';
    const lock = resolve(`${DEVICE}${WEIGHTS_ONLY}convert: { precision: fp16 }\n`);
    expect(lock.stages.convert.options).toEqual({ precision: 'fp16' });
    expect(lock.stages.quantize.options).toMatchObject({ activations: 'none', weights: { scheme: 'per_channel', bits: 4 } });
    expect(parseLock(encodeLock(lock), 'recipe.lock.json')).toEqual(lock);
    expect(encodeLock(resolve(`${DEVICE}convert: { precision: codes }\n`))).toEqual(encodeLock(resolve(DEVICE)));
  });

  it('refuses a context of twice the tokens of a pass', () => {
    expect(() => resolve('toolchain: qairt\nchipset: sm8750\ngraphs: { ar: [1, 32], cl: [64, 512] }\n')).toThrow(/RECIPE_DEVICE: graphs has cl 64 with ar 32, which is twice as much[^]*recipe\.yaml:4:1/);
    expect(() => resolve('graphs: { ar: [1, 32], cl: [64, 512] }\n')).not.toThrow();
  });
});

describe('a recipe for several chips', () => {
  it('has the parts of each, over the same cells, those of the first as without the second', () => {
    const lock = resolve(DEVICE.replace('snapdragon-8-elite', '[sm8750, QCS9075]'));
    expect(Object.keys(lock.parts)).toEqual(['part1of2-sm8750', 'part2of2-sm8750', 'part1of2-qcs9075', 'part2of2-qcs9075']);
    expect(lock.parts['part1of2-qcs9075']).toMatchObject({ chip: 'QCS9075', part: 1, parts: 2, cells: lock.parts['part1of2-sm8750']?.cells });
    expect(lock.parts).toMatchObject(resolve(DEVICE).parts);
    expect(lock.cells).toEqual(resolve(DEVICE).cells);
    expect(lock.stages.quantize).toEqual(resolve(DEVICE).stages.quantize);
    expect(parseLock(encodeLock(lock), 'recipe.lock.json')).toEqual(lock);
  });
});
