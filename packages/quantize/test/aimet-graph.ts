/** The graph that AIMET's `tiny_*` encodings belong to: weights stored [in, out], [out, in] and as a 1x1 Conv. */
import { DataType, Graph, type Value, floatTensor, int64Tensor } from '@tundish/graph';

export function aimetGraph(): Graph {
  const graph = new Graph('tiny');
  const weight = (name: string, dims: readonly number[]): Value => graph.addInitializer(name, floatTensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims));
  const node = (opType: string, output: string, inputs: readonly Value[], attributes = {}): Value => {
    const value = graph.addNode({ opType, inputs, outputs: [output], attributes }).output();
    value.dtype = DataType.FLOAT;
    return value;
  };
  const shape = (name: string): Value => graph.addInitializer(name, int64Tensor([1, -1]));
  const x = graph.addInput('x', DataType.FLOAT, [1, 4, 64]);
  const product = node('MatMul', 'm1', [x, weight('w_matmul', [64, 96])]);
  const silu = node('Mul', 'silu', [product, node('Sigmoid', 'sg', [product])]);
  const gemm = node('Gemm', 'g1', [node('Reshape', 'r1', [silu, shape('s1')]), weight('w_gemm', [64, 96]), weight('b_gemm', [64])], { transB: { type: 'int', value: 1 } });
  const conv = node('Conv', 'c1', [node('Reshape', 'r2', [node('Transpose', 't1', [gemm]), shape('s2')]), weight('w_conv', [96, 64, 1, 1])]);
  graph.outputs.push(node('MatMul', 'logits', [node('Reshape', 'r3', [node('Transpose', 't2', [conv]), shape('s3')]), weight('w_head', [96, 50])]));
  return graph;
}
