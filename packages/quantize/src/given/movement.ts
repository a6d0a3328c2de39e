/** Looks through operators that hand one value on unchanged, or only round it, as exporters put them anywhere. */
import type { Node, Value } from '@tundish/graph';

/** Not Slice, Split, Concat and Gather: what they give is part of a value, or more than one. */
const MOVEMENT: ReadonlySet<string> = new Set(['Cast', 'DequantizeLinear', 'Expand', 'Flatten', 'Identity', 'QuantizeLinear', 'Reshape', 'Squeeze', 'Transpose', 'Unsqueeze']);

export function isMovement({ opType }: Node): boolean {
  return MOVEMENT.has(opType);
}

/** The value that was computed, or entered the graph, before it was moved here. */
export function originOf(value: Value): Value {
  let origin = value;
  while (origin.producer !== undefined && isMovement(origin.producer)) origin = origin.producer.input(0);
  return origin;
}

/** The nodes that compute with a value, wherever it was moved. */
export function computingReaders(value: Value): Node[] {
  return [...new Set(value.consumers.flatMap((node) => (isMovement(node) ? computingReaders(node.output()) : [node])))];
}
