import { describe, expect, it } from 'vitest';
import type { Lock } from '../src/lock.js';
import { withNamedChain } from '../src/named-chain.js';
import { calibrationText } from '../src/source-reference.js';
import { QUANTIZE_RECIPES, type QuantizeRecipeName } from '../src/technique.js';
import { parse, resolve } from './resolving.js';

describe('schemes of weights', () => {
  const options = (quantize: string) => resolve(`quantize: { ${quantize} }`, { layers: 12 }).stages.quantize.options;

  it.each([
    ['weights: { scheme: lpbq }', { scheme: 'lpbq', bits: 4, blockSize: 32 }],
    ['weights: { scheme: per_channel, bits: 8 }', { scheme: 'per_channel', bits: 8 }],
    ['activations: none, weights: { scheme: per_block, bits: 8, blockSize: 16 }', { scheme: 'per_block', bits: 8, blockSize: 16 }],
  ])('%s is whole in the lock', (given, weights) => {
    expect(options(given)).toMatchObject({ weights });
    expect(options(given)).not.toHaveProperty('overrides');
  });

  it.each([
    ['weights: { bits: 8 }', 'bits: 8 of quantize.weights cannot be built', 'lpbq is 4 bits wide', 'scheme: per_channel'],
    ['weights: { scheme: per_channel, blockSize: 32 }', 'blockSize: 32 of quantize.weights cannot be built', 'one scale a channel', 'leave blockSize out'],
    ['weights: { scheme: per_block }', 'scheme: per_block of quantize.weights cannot be built', 'activations in floating point', 'activations: none'],
    ['recipe: lpbq_seqmse, weights: { scheme: per_channel }', 'scheme: per_channel of quantize.weights cannot be built', 'compressed', 'inputs: float'],
    ['overrides: [{ layers: model.layers.0.mlp.up_proj, bits: 8, scheme: lpbq }]', 'bits: 8 of quantize.overrides[0] cannot be built', 'lpbq is 4 bits wide', 'bits: 4'],
  ])('%s is refused with the reason and the line', (given, what, why, fix) => {
    expect(() => options(given)).toThrow(expect.objectContaining({ code: 'RECIPE_SCHEME', what, why: expect.stringContaining(why) as string, fix: expect.stringContaining(fix) as string, evidence: expect.objectContaining({ line: 2 }) as object }) as Error);
  });

  it('gives single layers schemes of their own, by name, the last of several', () => {
    const overrides = (list: string) => (options(`overrides: [${list}]`) as { overrides?: object }).overrides;
    const raised = { scheme: 'per_channel', bits: 8 };
    expect(overrides('{ layers: "model.layers.[2-10].mlp.down_proj", bits: 8 }')).toEqual(Object.fromEntries([2, 3, 4, 5, 6, 7, 8, 9, 10].map((i) => [`model.layers.${i}.mlp.down_proj`, raised])));
    expect(overrides('{ layers: model.layers.1.self_attn.*_proj.weight, bits: 8 }')).toEqual(Object.fromEntries(['q', 'k', 'v', 'o'].map((name) => [`model.layers.1.self_attn.${name}_proj`, raised])));
    expect(Object.keys(overrides('{ layers: "model.layers.*.*.v_proj", bits: 8 }') ?? {})).toHaveLength(12);
    expect(overrides('{ layers: "model.layers.1.*.v_proj", bits: 8 }, { layers: model.layers.1.self_attn.v_proj, scheme: lpbq, bits: 4, blockSize: 16 }')).toEqual({ 'model.layers.1.self_attn.v_proj': { scheme: 'lpbq', bits: 4, blockSize: 16 } });
  });

  it.each([
    ['recipe: lpbq_gptaq', 20],
    ['recipe: lpbq_gptaq, floatWindows: all', 'all'],
    ['recipe: lpbq_seqmse, scales: { search: seqmse, inputs: float }', 6],
    ['recipe: minmax, correction: 0.5, floatWindows: 3', 3],
    // Nothing compares with the float model: recipes that differ in such a number alone are one.
    ['recipe: lpbq_gptaq, correction: 0', 'all'],
    ['recipe: lpbq_seqmse, scales: { search: seqmse }', 'all'],
    // A refinement reads it in every window.
    ['recipe: lpbq_seqmse, refine: { method: signround }', 'all'],
    ['recipe: lpbq_gptaq, refine: { method: signround }', 'all'],
  ])('%s runs the float model on %s windows', (given, floatWindows) => {
    expect(options(given)).toMatchObject({ technique: { floatWindows } });
  });

  it('raises layers by data where the chain reads text and has 4 bits to raise', () => {
    expect(options('recipe: lpbq_gptaq, mixedPrecision: { budget: 1.1 }')).toMatchObject({ mixedPrecision: { budget: 1.1 } });
    const refused = (given: string) => expect(() => options(`${given}, mixedPrecision: { budget: 1.1 }`)).toThrow(expect.objectContaining({ code: 'RECIPE_SCHEME', what: 'quantize.mixedPrecision cannot be built' }) as Error);
    refused('recipe: minmax');
    refused('recipe: fast');
    refused('recipe: gptaq, weights: { scheme: per_channel, bits: 8 }');
    for (const budget of [1, 2.1, '"1.1"']) expect(() => options(`recipe: gptaq, mixedPrecision: { budget: ${budget} }`)).toThrow('quantize.mixedPrecision.budget must be');
    const file = withNamedChain(parse('checkpoint: ./checkpoint\nquantize: { recipe: gptaq, mixedPrecision: { budget: 1.1 } }'), 'minmax');
    expect(() => resolve('', { file })).toThrow(/quantize.mixedPrecision cannot be built/);
  });

  it.each([
    ['model.layers.0.mlp.down_prj', 'did you mean model.layers.0.mlp.down_proj?'],
    ['model.layers.12.mlp.down_proj', 'did you mean model.layers.'],
    ['model.layers.[12-15].mlp.down_proj', 'did you mean model.layers.'],
    ['layers', 'write a name of these'],
    ['(a+)+$', 'write a name of these'],
  ])('%s names no layer', (layers, fix) => {
    expect(() => options(`overrides: [{ layers: "${layers}", bits: 8 }]`)).toThrow(expect.objectContaining({ code: 'RECIPE_LAYER', what: `quantize.overrides[0].layers matches no projection: ${layers}`, fix: expect.stringContaining(fix) as string }) as Error);
  });
});

describe('a recipe under another chain', () => {
  const quantizeOf = (text: string, chain: QuantizeRecipeName): Lock['stages']['quantize']['options'] => resolve('', { file: withNamedChain(parse(`checkpoint: ./checkpoint\n${text}`), chain) }).stages.quantize.options;

  it.each(Object.keys(QUANTIZE_RECIPES) as QuantizeRecipeName[])('is what a recipe with %s says, whatever it said of techniques', (chain) => {
    const plain = (given: string): Lock['stages']['quantize']['options'] => resolve(`quantize: { recipe: ${chain}, ${given} }`).stages.quantize.options;
    expect(quantizeOf('', chain)).toEqual(plain('lmHead: { bits: 8 }'));
    expect(quantizeOf('quantize: { source: { encodings: ./e.json } }', chain)).toEqual(plain('lmHead: { bits: 8 }'));
    // A name that brings a scheme takes the place of another one too.
    const kept = `${chain.startsWith('spinquant') ? '' : 'weights: { blockSize: 64 }, '}overrides: [{ layers: model.layers.*.mlp.up_proj, bits: 8 }], calibration: { windows: 7 }`;
    expect(quantizeOf(`quantize: { recipe: gptaq, smoothing: { method: awq }, scales: { search: minmax }, rounding: { method: nearest }, correction: 0.5, polish: 9, refine: { method: signround }, ${kept} }`, chain)).toEqual(plain(kept));
  });

  it('takes the rotation and the scheme of a name with it, and leaves them with it', () => {
    const rotated = (text: string, chain: QuantizeRecipeName): unknown => {
      const { recipe } = withNamedChain(parse(`checkpoint: ./checkpoint\nquantize: { ${text} }`), chain);
      return [recipe.optimize.rotate.r1, recipe.quantize === 'none' ? undefined : recipe.quantize.weights];
    };
    expect(rotated('weights: { blockSize: 64 }', 'spinquant')).toEqual([true, { scheme: 'per_channel', bits: 4 }]);
    expect(rotated('recipe: spinquant', 'lpbq_gptaq')).toEqual([false, { scheme: 'lpbq', bits: 4 }]);
    expect(rotated('weights: { blockSize: 64 }', 'gptaq')).toEqual([false, { scheme: 'lpbq', bits: 4, blockSize: 64 }]);
  });

  it('reads a calibration text when it needs one and the recipe did not', () => {
    const file = parse('checkpoint: ./checkpoint\nquantize: { activations: none, recipe: fast }');
    expect(['minmax', 'lpbq_gptaq'].map((chain) => calibrationText(withNamedChain(file, chain as QuantizeRecipeName).recipe))).toEqual([undefined, './checkpoint/calibration.txt']);
  });

  it('must quantize', () => {
    expect(() => quantizeOf('quantize: none', 'fast')).toThrow(/RECIPE_VALUE: quantize: none has no techniques that fast could stand for[^]*recipe\.yaml:2:1/);
  });
});
