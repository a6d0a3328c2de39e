/** What a model of one kind of operation takes and gives. */
import type { QnnOperation, QnnParameter } from '@tundish/native/qnn';
import type { PlannedTensor } from '../../compose/plan.js';
import { type Operand, Unmodelled } from '../operand.js';

export interface Modelled {
  /** What the output would be in exact arithmetic, in codes of the output, neither rounded nor clipped, row-major. */
  readonly expected: Float64Array;
  /**
   * Of sums of products: codes of the output that one unit of the integer sum is worth, of the worst channel (scale of the
   * input * scale of the channel / scale of the output); 256 units where the other factor has 16 bits.
   */
  readonly unit?: number;
}

/** Computes an operation from the codes that it was given, in double precision. @throws Unmodelled */
export type OperationModel = (operation: QnnOperation, inputs: readonly Operand[], output: PlannedTensor) => Modelled;

/** @throws Unmodelled */
export function operand(inputs: readonly Operand[], index: number): Operand {
  const found = inputs[index];
  if (found === undefined) throw new Unmodelled(`input ${index} is missing`);
  return found;
}

/** The value of a scalar parameter; `fallback` where the operation does not say. */
export function scalar({ parameters }: QnnOperation, name: string, fallback: number): number {
  const found = parameters.find((parameter) => parameter.name === name);
  return found !== undefined && 'value' in found ? found.value : fallback;
}

/** The elements of a parameter that is a tensor. @throws Unmodelled */
export function list({ parameters }: QnnOperation, name: string): readonly number[] {
  const found: QnnParameter | undefined = parameters.find((parameter) => parameter.name === name);
  const data = found !== undefined && 'tensor' in found ? found.tensor.data : undefined;
  if (data === undefined || 'path' in data) throw new Unmodelled(`it states no ${name}`);
  return Array.from(data);
}

/** Elements of a tensor before its last axis, and along it. */
export function rowsOf({ dims }: PlannedTensor): { readonly rows: number; readonly width: number } {
  const width = dims.at(-1) ?? 1;
  return { rows: elementsIn(dims) / width, width };
}

export function elementsIn(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Reals to codes of a grid, neither rounded nor clipped. */
export function asCodes(reals: Float64Array, { scale, offset }: { readonly scale: number; readonly offset: number }): Float64Array {
  for (let i = 0; i < reals.length; i++) reals[i] = (reals[i] as number) / scale - offset;
  return reals;
}
