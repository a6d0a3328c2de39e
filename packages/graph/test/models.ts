/** Small models that several tests build on. */
import { DataType as T, Graph, type Model, floatTensor } from '../src/index.js';

export function modelOf(graph: Graph, opsets: readonly (readonly [string, number])[] = [['', 23]]): Model {
  return { irVersion: 11, opsetImports: new Map(opsets), producerName: 'tundish', metadata: new Map(), graph };
}

/** x [2,4] -> MatMul with W [4,4] -> Add b [4] -> Sigmoid -> y. */
export function denseModel(): Model {
  const graph = new Graph('dense');
  const x = graph.addInput('x', T.FLOAT, [2, 4]);
  const w = graph.addInitializer('w', floatTensor(Array.from({ length: 16 }, (_, i) => i / 8 - 1), [4, 4]));
  const b = graph.addInitializer('b', floatTensor([1, -1, 0.5, 0]));
  const product = graph.addNode({ opType: 'MatMul', name: '/mm', inputs: [x, w] }).output();
  const sum = graph.addNode({ opType: 'Add', name: '/add', inputs: [product, b] }).output();
  graph.outputs.push(graph.addNode({ opType: 'Sigmoid', name: '/act', inputs: [sum], outputs: ['y'] }).output());
  return modelOf(graph);
}
