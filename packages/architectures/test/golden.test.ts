/** The adapted graph against golden vectors of transformers, on every golden checkpoint of the repository. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openCheckpoint } from '@tundish/checkpoint';
import { convertArCl } from '@tundish/transform';
import { describe, expect, it } from 'vitest';
import { architectureFor, architectures, chooseBase } from '../src/index.js';
import { maxAbs, openGolden, prefillFeeds } from './golden.js';
import { runModel } from './ort-session.js';

const FIXTURES = fileURLToPath(new URL('../../../test/fixtures/golden/', import.meta.url));
const TOLERANCE = 1e-4;

describe.each(readdirSync(FIXTURES).filter((name) => name.startsWith('llama-')))('%s', (name) => {
  const folder = join(FIXTURES, name);

  it('has the logits, hidden states, keys and values of the reference', async () => {
    const checkpoint = await openCheckpoint(folder, { knownModelTypes: [...architectures.keys()] });
    const architecture = architectureFor(checkpoint.config.modelType);
    const golden = await openGolden(folder);
    const base = chooseBase(architecture.sizes(checkpoint.config));
    const { model, adaptation } = architecture.adapt(checkpoint, { baseAr: base.ar, baseCl: base.cl });
    const bound = convertArCl(model, base, { ar: golden.ids.length, cl: golden.ids.length + 1 });
    for (const { hiddenOut } of adaptation.layers) bound.graph.outputs.push(bound.graph.value(hiddenOut));

    const results = await runModel(bound, [folder], prefillFeeds(checkpoint, adaptation, golden.ids, 1));
    const errors: Record<string, number> = { logits: maxAbs(results['logits'] ?? [], await golden.float('logits')) };
    const { hidden, kvHeads, headDim } = adaptation.dims;
    const states = await golden.float('hidden_states');
    const size = golden.ids.length * hidden;
    for (const { index, hiddenOut, pastKeyOut, pastValueOut } of adaptation.layers) {
      errors[`hidden ${index}`] = maxAbs(results[hiddenOut] ?? [], states.subarray(index * size, (index + 1) * size));
      errors[`key ${index}`] = maxAbs(swapped(results[pastKeyOut] ?? new Float32Array(0), kvHeads, headDim), await golden.float(`past_key_${index}`));
      errors[`value ${index}`] = maxAbs(results[pastValueOut] ?? [], await golden.float(`past_value_${index}`));
    }
    expect(Object.entries(errors).filter(([, error]) => !(error <= TOLERANCE))).toEqual([]);
    expect(Object.keys(errors)).toHaveLength(1 + 3 * adaptation.dims.layers);
  });

  it('does not see what a masked cache position holds', async () => {
    const checkpoint = await openCheckpoint(folder, { knownModelTypes: [...architectures.keys()] });
    const ids = (await openGolden(folder)).ids.slice(0, 9);
    const { model, adaptation } = architectureFor('llama').adapt(checkpoint, { baseAr: 9, baseCl: 13 });
    const clean = await runModel(model, [folder], prefillFeeds(checkpoint, adaptation, ids, 4));
    const dirty = await runModel(model, [folder], prefillFeeds(checkpoint, adaptation, ids, 4, 3));
    expect(dirty).toEqual(clean);
  });
});

/** [g, D, T] -> [g, T, D]. */
function swapped(keys: Float32Array, groups: number, headDim: number): Float32Array {
  const tokens = keys.length / (groups * headDim);
  return Float32Array.from({ length: keys.length }, (_, i) => {
    const [group, token, d] = [Math.floor(i / (tokens * headDim)), Math.floor(i / headDim) % tokens, i % headDim];
    return keys[(group * headDim + d) * tokens + token] ?? NaN;
  });
}
