/** Runs graphs in floating point, those of a split model one after the other. */
import { join } from 'node:path';
import { causalMask } from '@tundish/quantize';
import { ropeTables } from '@tundish/stages';
import { hostReference } from '@tundish/toolchain-host';

/** Logits [tokens, vocabulary] of all tokens in one pass over an empty cache. @param models made for AR = `ids.length` */
export async function logitsOf(models, { ids, facts, folder }) {
  const rope = ropeTables(facts.rope, 0, ids.length);
  const values = new Map([['input_ids', Int32Array.from(ids)], ['attention_mask', causalMask(ids.length)], ['position_ids_cos', rope.cos], ['position_ids_sin', rope.sin]]);
  for (const model of models) {
    const opened = await hostReference().open({ model, resolve: (location) => join(folder, location), threads: 2 });
    const feeds = new Map(model.graph.inputs.map(({ name, shape }) => [name, values.get(name) ?? new Float32Array(shape.reduce((count, dim) => count * dim, 1))]));
    for (const [name, data] of await opened.run(feeds)) values.set(name, data);
    await opened.close();
  }
  return values.get('logits');
}
