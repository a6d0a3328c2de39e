/** Cuts one part out of a model at the residual stream; weights stay byte ranges of the files they are in. */
import { type Model, extractGraph } from '@tundish/graph';
import { transformError } from '../errors.js';
import { findLayers } from './find-layers.js';
import { measureWeights } from './measure-weights.js';
import { planParts } from './plan-parts.js';

/**
 * Part `part` (1-based) of `parts`: the first holds the embedding, the last the final norm and the head. The value at a
 * cut keeps its name on both sides; cache inputs and outputs keep their global numbers.
 *
 * Inputs: state, then mask, cos, sin and caches as far as they are read; outputs: state, then caches.
 *
 * @throws SPLIT_NO_STREAM, SPLIT_PARTS_INVALID
 */
export function splitModel(model: Model, part: number, parts: number): Model {
  if (!Number.isSafeInteger(part) || part < 1 || part > parts) {
    throw transformError('SPLIT_PARTS_INVALID', { what: `there is no part ${part} of ${parts}`, why: 'parts are counted from 1' });
  }
  const layers = findLayers(model);
  const range = planParts(layers.length, parts, measureWeights(model, layers))[part - 1] ?? { from: 0, to: 0 };
  const own = layers.slice(range.from, range.to);
  const inputs = model.graph.inputs.map((value) => value.name);
  const states = model.graph.outputs.map((value) => value.name).filter((name) => !isCache(name));
  const entry = part === 1 ? [] : own.slice(0, 1).map((layer) => layer.input.name);
  const exit = part === parts ? states : own.slice(-1).map((layer) => layer.output.name);
  const caches = own.flatMap(({ index }) => [`past_key_${index}_out`, `past_value_${index}_out`]);
  const extract = extractGraph(model, [...entry, ...inputs], [...exit, ...caches]);
  for (const input of [...extract.graph.inputs]) if (input.uses.length === 0) extract.graph.removeValue(input);
  return extract;
}

function isCache(name: string): boolean {
  return /^past_(key|value)_\d+_out$/.test(name);
}
