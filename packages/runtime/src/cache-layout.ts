/** Finds the caches among the inputs and outputs of a chain and proves that every graph sees the same ones. */
import type { GraphIo, IoTensor } from '@tundish/toolchain';
import { isReal, mismatch, sameQuantization } from './tensor-match.js';

/** One cache tensor as [outer, positions, inner]. */
export interface CacheLayout {
  /** `past_key_3_in`. */
  readonly input: string;
  /** `past_key_3_out`. */
  readonly output: string;
  readonly outer: number;
  readonly inner: number;
  /** Descriptor of one of its inputs: element type and quantization, which all graphs share. */
  readonly tensor: IoTensor;
}

export function isCache(name: string): boolean {
  return /^past_(key|value)_\d+_(in|out)$/.test(name);
}

/**
 * Caches of one chain: keys [g,1,D,P] and values [g,1,P,D] in, the same with AR positions out, P = CL - AR.
 *
 * @param known caches of another chain, which these must equal
 * @throws TundishError RUNTIME_IO_MISMATCH
 */
export function cacheLayout(graphs: readonly GraphIo[], ar: number, cl: number, known?: readonly CacheLayout[]): readonly CacheLayout[] {
  const layouts = graphs.flatMap((io) => layoutsOf(io, ar, cl));
  if (new Set(layouts.map((layout) => layout.input)).size !== layouts.length) throw mismatch(`a cache of AR ${ar}, CL ${cl} belongs to two parts`);
  const same = known === undefined || (known.length === layouts.length && known.every((layout, i) => sameLayout(layout, layouts[i])));
  if (!same) throw mismatch(`the caches of AR ${ar}, CL ${cl} differ from those of other graphs`);
  return layouts;
}

function layoutsOf(io: GraphIo, ar: number, cl: number): CacheLayout[] {
  const outputs = new Map(io.outputs.map((tensor) => [tensor.name, tensor]));
  const inputs = io.inputs.filter(({ name }) => isCache(name));
  if (inputs.length !== io.outputs.filter(({ name }) => isCache(name)).length) throw mismatch(`${io.name} does not take and give the same caches`);
  return inputs.map((input) => {
    const name = input.name.replace(/_in$/, '_out');
    const output = outputs.get(name);
    if (output === undefined || name === input.name) throw mismatch(`${io.name} takes ${input.name} but does not give it back`);
    if (output.dtype !== input.dtype || !sameQuantization(input, output)) throw mismatch(`${input.name} and ${name} of ${io.name} have different encodings`);
    if (!isReal(input)) throw mismatch(`${input.name} of ${io.name} is ${input.dtype} with the wrong quantization`);
    const axis = input.name.startsWith('past_key') ? 3 : 2;
    const past = blocks(io.name, input, axis, cl - ar);
    const block = blocks(io.name, output, axis, ar);
    if (block.outer !== past.outer || block.inner !== past.inner) throw mismatch(`${input.name} and ${name} of ${io.name} have different shapes`);
    return { input: input.name, output: name, ...past, tensor: input };
  });
}

function blocks(graph: string, tensor: IoTensor, axis: number, positions: number): { outer: number; inner: number } {
  if (tensor.shape.length !== 4 || tensor.shape[axis] !== positions) {
    throw mismatch(`${tensor.name} of ${graph} is [${tensor.shape.join()}] where axis ${axis} of 4 must be ${positions}`);
  }
  const product = (dims: readonly number[]): number => dims.reduce((all, dim) => all * dim, 1);
  return { outer: product(tensor.shape.slice(0, axis)), inner: product(tensor.shape.slice(axis + 1)) };
}

function sameLayout(a: CacheLayout, b: CacheLayout | undefined): boolean {
  return b !== undefined && a.input === b.input && a.outer === b.outer && a.inner === b.inner && a.tensor.dtype === b.tensor.dtype && sameQuantization(a.tensor, b.tensor);
}
