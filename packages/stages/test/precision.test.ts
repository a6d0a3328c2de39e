/** Models that are built with each observer and each precision of the cache run to the end, and compute nearly what the float model does. */
import { describe, expect, test } from 'vitest';
import { containerLogits, distance } from './container-logits.js';
import { FLOAT_RECIPE, QUANTIZED_RECIPE, Workspace } from './workspace.js';

/** Logits by the container of `recipe`. */
async function logitsOf(workspace: Workspace, recipe: string): Promise<Float32Array> {
  workspace.write('recipe.yaml', recipe);
  await workspace.build('package');
  return containerLogits(workspace);
}

const withOption = (option: string): string => QUANTIZED_RECIPE.replace('recipe: minmax', `recipe: minmax, ${option}`);

const SINGLE_HEADS = 'transform: { mha2sha: true }\n';
/** What a recipe says, and what it says behind the quantize section. */
const CHOICES: readonly (readonly [quantize: string, more?: string])[] = [
  ['activations: { observer: { method: percentile, percentile: 99.9 } }'],
  ['activations: { observer: { method: sqnr } }'],
  ['activations: { observer: { method: mse } }'],
  ['kvCache: { bits: 16 }'],
  ['kvCache: { bits: 16 }', SINGLE_HEADS],
  ['kvCache: { granularity: head }', SINGLE_HEADS],
  ['kvCache: { bits: 16, granularity: head }', SINGLE_HEADS],
];

describe('a model', async () => {
  const workspace = Workspace.make(FLOAT_RECIPE);
  const expected = await logitsOf(workspace, FLOAT_RECIPE);
  const plain = await logitsOf(workspace, QUANTIZED_RECIPE);

  test.each(CHOICES)('with %s %s is one of its own, as near to the float model as with minimum and maximum and 8 bits', async (quantize, more = '') => {
    const found = await logitsOf(workspace, `${withOption(quantize)}${more}`);
    expect(distance(found, plain)).toBeGreaterThan(1e-5);
    expect(distance(found, expected)).toBeLessThan(1.2 * distance(plain, expected));
  });

  test('whose cache needs no more than 8 bits gets no more, and the report says so', async () => {
    const found = await logitsOf(workspace, withOption('kvCache: { bits: auto }'));
    expect(found).toEqual(plain);
    const run = (await workspace.build('quantize')).get('quantize');
    expect(run?.manifest?.outputs.map(({ name }) => name)).toContain('quantize-report.json');
  });
});
