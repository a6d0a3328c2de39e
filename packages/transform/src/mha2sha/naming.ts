/** Names of the per-head copies, and the record of them that encodings are carried by. */
import type { Attribute, DataType, Graph, Node, Value } from '@tundish/graph';

/** Old value name to the names that took its place, in head order: the content of mha_to_sha_map.json. */
export type RenameMap = ReadonlyMap<string, readonly string[]>;

/** `{name}_sha_{head}`. */
export function headName(name: string, head: number): string {
  return `${name}_sha_${head}`;
}

/**
 * Adds copies of `node` for `heads` heads, each with its own inputs. Outputs keep their type.
 *
 * @param shapeOf shape that an output has for one head
 */
export function copyForHeads(graph: Graph, node: Node, heads: number, inputsOf: (head: number) => readonly (Value | undefined)[], shapeOf: (output: Value) => readonly number[]): readonly Node[] {
  const { opType, domain, outputs } = node;
  const attributes = Object.fromEntries(node.attributes);
  const shapes = outputs.map(shapeOf);
  return Array.from({ length: heads }, (_, head) => {
    const copy = graph.addNode({
      opType,
      domain,
      name: headName(node.name, head),
      inputs: inputsOf(head),
      outputs: outputs.map((output) => headName(output.name, head)),
      attributes,
    });
    copy.outputs.forEach((output, i) => {
      output.dtype = outputs[i]?.dtype;
      output.shape = shapes[i];
    });
    return copy;
  });
}

/** Adds a node of one output that has no original, with type and shape. */
export function addTyped(graph: Graph, opType: string, name: string, inputs: readonly Value[], output: string, attributes: Readonly<Record<string, Attribute>>, dtype: DataType | undefined, shape: readonly number[]): Value {
  const value = graph.addNode({ opType, name, inputs, outputs: [output], attributes }).output();
  value.dtype = dtype;
  value.shape = shape;
  return value;
}
