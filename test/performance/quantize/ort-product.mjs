/** One matrix product in ONNX Runtime, with memory of the caller for both operands and the result. */
import { DataType as T, Graph, encodeModel } from '@tundish/graph';
import { InferenceSession, Tensor } from 'onnxruntime-node';

/** A MatMul, or for b [n, k] a Gemm, on two threads; resolves to a function that computes into `out`. */
export async function ortProduct({ a, b, out, m, n, k, transposeB }) {
  const shapeOfB = transposeB ? [n, k] : [k, n];
  const graph = new Graph('product');
  const inputs = [graph.addInput('a', T.FLOAT, [m, k]), graph.addInput('b', T.FLOAT, shapeOfB)];
  const spec = transposeB ? { opType: 'Gemm', attributes: { transB: { type: 'int', value: 1 } } } : { opType: 'MatMul' };
  const product = graph.addNode({ ...spec, inputs, outputs: ['out'] }).output();
  Object.assign(product, { dtype: T.FLOAT, shape: [m, n] });
  graph.outputs.push(product);
  const model = encodeModel({ irVersion: 11, opsetImports: new Map([['', 20]]), producerName: 'tundish', metadata: new Map(), graph });
  const session = await InferenceSession.create(model, { intraOpNumThreads: 2 });
  const feeds = { a: new Tensor('float32', a, [m, k]), b: new Tensor('float32', b, shapeOfB) };
  const fetches = { out: new Tensor('float32', out, [m, n]) };
  return { run: () => session.run(feeds, fetches), release: () => session.release() };
}
