/** Widens the rows that are gathered from a table, not the table: ONNX Runtime would fold all of it into memory when a model is opened. */
import { DataType, type Model, type Node, type Value, cloneModel } from '@tundish/graph';

/** The model with Cast(Gather(table, ids)) for Gather(Cast(table), ids), whose values are the same; the given one where there is none. */
export function gatherStoredRows(model: Model): Model {
  if (!model.graph.nodes.some((node) => storedTable(node) !== undefined)) return model;
  const gathering = cloneModel(model);
  const { graph } = gathering;
  for (const node of graph.sortedNodes()) {
    const table = storedTable(node);
    if (table === undefined) continue;
    const [widening, rows] = [node.input(0).producer as Node, node.output()];
    const stored = graph.addNode({ opType: 'Gather', name: graph.uniqueName(`${node.name}/stored`), inputs: [table, node.input(1)], attributes: Object.fromEntries(node.attributes) }).output();
    [stored.dtype, stored.shape] = [table.dtype, rows.shape];
    graph.replaceProducer(rows, { opType: 'Cast', name: node.name, inputs: [stored], attributes: Object.fromEntries(widening.attributes) });
  }
  graph.prune();
  return gathering;
}

/** The initializer of 16-bit floats that a Gather reads through a Cast to float32. */
function storedTable(node: Node): Value | undefined {
  const cast = node.opType === 'Gather' ? node.input(0).producer : undefined;
  const table = cast?.opType === 'Cast' && cast.int('to') === DataType.FLOAT ? cast.input(0) : undefined;
  return table?.tensor?.dtype === DataType.BFLOAT16 || table?.tensor?.dtype === DataType.FLOAT16 ? table : undefined;
}
