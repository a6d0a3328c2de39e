/** Names of the per-head copies, and the record of them that encodings are carried by. */
import type { Attribute, DataType, Graph, Node, Value } from '@tundish/graph';

/** Old value name to the names that took its place, in head order: the content of mha_to_sha_map.json. */
export type RenameMap = ReadonlyMap<string, readonly string[]>;

/** `{name}_sha_{head}`. */
export function headName(name: string, head: number): string {
  return `${name}_sha_${head}`;
}

/** Adds the copy of `node` for one head; outputs keep their type, and their shape is `reshape` of the original one. */
export function copyForHead(graph: Graph, node: Node, head: number, inputs: readonly (Value | undefined)[], reshape: (value: Value) => readonly number[]): Node {
  const copy = graph.addNode({
    opType: node.opType,
    domain: node.domain,
    name: headName(node.name, head),
    inputs,
    outputs: node.outputs.map((output) => headName(output.name, head)),
    attributes: Object.fromEntries(node.attributes),
  });
  copy.outputs.forEach((output, i) => {
    const original = node.output(i);
    output.dtype = original.dtype;
    output.shape = reshape(original);
  });
  return copy;
}

/** Adds a node of one output that has no original, with type and shape. */
export function addTyped(graph: Graph, opType: string, name: string, inputs: readonly Value[], output: string, attributes: Readonly<Record<string, Attribute>>, dtype: DataType | undefined, shape: readonly number[]): Value {
  const value = graph.addNode({ opType, name, inputs, outputs: [output], attributes }).output();
  value.dtype = dtype;
  value.shape = shape;
  return value;
}
