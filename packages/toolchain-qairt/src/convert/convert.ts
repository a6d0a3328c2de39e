/** The convert step: a graph of the compiler as plain data, without its libraries. */
import { type ConvertRequest, type ConvertResult, graphName } from '@tundish/toolchain';
import { composeGraph } from '../compose/compose-graph.js';
import { composeError } from '../compose/errors.js';
import { ioTable } from './io-table.js';
import { encodePlan } from './plan-file.js';

/** Name of the plan of a graph among the files of convert. */
export function planFile(graph: string): string {
  return `${graph}.plan.json`;
}

/**
 * One plan, named after the graph. Weights stay byte ranges of the files that the model names. Option `rotaryEmbedding`: `composed`
 * (default) or `operation`; option `precision`: `codes` (default), or `fp16`, for which weights alone are quantized.
 *
 * @throws QAIRT_ENCODING_MISSING and the other errors of `composeGraph`
 */
export function convertGraph({ cell, model, encodings, options }: ConvertRequest): ConvertResult {
  const name = graphName(cell);
  const precision = options['precision'] === 'fp16' ? 'fp16' : 'codes';
  if (encodings === undefined || (precision === 'codes' && encodings.activations.size === 0)) {
    throw composeError('QAIRT_ENCODING_MISSING', { what: `${name} has no ${encodings === undefined ? 'weights' : 'activations'} with encodings`, why: 'this compiler computes on codes', fix: 'quantize the model, activations too unless they are half floats (convert: { precision: fp16 })' });
  }
  const plan = composeGraph(model, encodings, name, { precision, rotaryEmbedding: options['rotaryEmbedding'] === 'operation' ? 'operation' : 'composed' });
  return { io: ioTable(plan, cell), files: [{ name: planFile(name), content: { bytes: encodePlan(plan) } }] };
}
