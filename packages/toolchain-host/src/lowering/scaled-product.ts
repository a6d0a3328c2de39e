/** Attention scores times a constant: a device's compiler gets one product, whose first operand carries the constant in its scale. */
import { DataType, type Node, type Value, matchProjection } from '@tundish/graph';

/** The multiplication behind `product`, a MatMul of two activations that nobody else reads; undefined where there is none. */
export function scaledProduct(product: Node, isOutput: (value: Value) => boolean): { readonly output: Value; readonly factor: number } | undefined {
  const value = product.output();
  const scaling = value.uses.length === 1 && !isOutput(value) ? value.uses[0]?.node : undefined;
  if (scaling?.opType !== 'Mul' || matchProjection(product) !== undefined) return undefined;
  const factor = scalarOf(scaling.input(0) === value ? scaling.input(1) : scaling.input(0));
  return factor === undefined || !(factor > 0) ? undefined : { output: scaling.output(), factor };
}

/** A float32 constant of one element. */
export function scalarOf({ tensor }: Value): number | undefined {
  if (tensor?.kind !== 'inline' || tensor.dtype !== DataType.FLOAT || tensor.data.byteLength !== 4) return undefined;
  return new DataView(tensor.data.buffer, tensor.data.byteOffset).getFloat32(0, true);
}
