/** Recognises a product with a constant that leaves every code what it is: only the grid changes. */
import type { Node, PerTensorEncoding, Value } from '@tundish/graph';
import { scalarOf } from './scaled-product.js';

/** Share of a code step that rounding errors may reach over the whole range; half a step would change a code. */
const HARMLESS = 0.25;

/**
 * The input of `node` = input * c whose codes are those of the output, as attention scores have it: ranges that were measured
 * before and after the product differ by the factor, and so do the scales.
 */
export function rescaledInput(node: Node, output: PerTensorEncoding, carried: ReadonlyMap<Value, PerTensorEncoding>): Value | undefined {
  if (node.opType !== 'Mul') return undefined;
  for (const [value, factor] of [[node.input(0), node.input(1)], [node.input(1), node.input(0)]] as const) {
    const c = scalarOf(factor);
    const input = carried.get(value);
    if (c === undefined || input === undefined || input.dtype !== output.dtype || input.zeroPoint !== output.zeroPoint) continue;
    const steps = input.dtype.endsWith('16') ? 65_535 : 255;
    if (c > 0 && Math.abs((input.scale * c) / output.scale - 1) * steps < HARMLESS) return value;
  }
  return undefined;
}
