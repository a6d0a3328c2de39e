/** Which decoder layer an operation belongs to, by the names that the architectures give. */
import type { QnnGraphPlan } from '../compose/plan.js';

/** In the order in which they compute; the number of a layer, or what stands before and behind them. */
export type LayerName = 'embedding' | `${number}` | 'head';

const LAYER = /(?:^|_)layers_(\d+)_|^past_(?:key|value)_(\d+)_/;

/** By the name of the operation's output. @param plan the part that stands behind the embedding unless it has token ids */
export function layersOf(plan: QnnGraphPlan): ReadonlyMap<string, LayerName> {
  const layers = new Map<string, LayerName>();
  let outside: LayerName = plan.inputs.some(({ name }) => name === 'input_ids') ? 'embedding' : 'head';
  for (const { outputs: [output = ''] } of plan.operations) {
    const found = LAYER.exec(output);
    const number = found?.[1] ?? found?.[2];
    if (number !== undefined) outside = 'head';
    layers.set(output, number === undefined ? outside : `${Number(number)}`);
  }
  return layers;
}
