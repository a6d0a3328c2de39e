/** What goes into an operation and comes out of it, as codes with their meaning; half floats are codes of themselves. */
import { widenFloat16 } from '@tundish/graph';
import type { QnnData } from '@tundish/native/qnn';
import type { PlannedQuantization, PlannedTensor } from '../compose/plan.js';
import { ELEMENT_CODES } from '../inspection/element-types.js';

/** real = (code + offset) * scale. */
export interface Grid {
  readonly scale: number;
  readonly offset: number;
}

const ITSELF: Grid = { scale: 1, offset: 0 };

/** A tensor of the plan with its codes, or the values of its half floats, dense and row-major. */
export interface Operand {
  readonly tensor: PlannedTensor;
  readonly codes: QnnData;
  /** Of a weight in blocks: integers, [channel][block]. */
  readonly blockScales?: Uint8Array;
}

/** Undefined for integers and for weights, whose channels have scales of their own. */
export function gridOf({ quantization }: Pick<PlannedTensor, 'quantization'>): Grid | undefined {
  return quantization?.kind === 'scale_offset' ? quantization : undefined;
}

/** Real values, float64. */
export function realsOf({ tensor, codes }: Operand): Float64Array {
  const { scale, offset } = requiredGrid(tensor);
  return Float64Array.from(codes, (code) => (code + offset) * scale);
}

/** Codes as they are, half floats as their values. */
export function valuesOf(tensor: Pick<PlannedTensor, 'element'>, data: QnnData): QnnData {
  return isHalf(tensor) ? widenFloat16(data as Uint16Array) : data;
}

export function isHalf({ element }: Pick<PlannedTensor, 'element'>): boolean {
  return element === ELEMENT_CODES.FLOAT_16;
}

/** @throws Unmodelled */
export function requiredGrid(tensor: PlannedTensor): Grid {
  const grid = isHalf(tensor) ? ITSELF : gridOf(tensor);
  if (grid === undefined) throw new Unmodelled(`${tensor.name} has ${kindOf(tensor.quantization)}`);
  return grid;
}

/** A form of an operation that no model computes: a finding of the report, never skipped. */
export class Unmodelled extends Error {}

function kindOf(quantization: PlannedQuantization | undefined): string {
  return quantization === undefined ? 'no encoding' : `an encoding of kind ${quantization.kind}`;
}
