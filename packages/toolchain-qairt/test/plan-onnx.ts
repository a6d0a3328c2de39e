/** Operations of a plan as ONNX with QuantizeLinear and DequantizeLinear around each, as other compilers take a quantized network. */
import { type Attribute, DataType, Graph, type Value, bytesOf, encodeModel, floatTensor, inlineTensor } from '@tundish/graph';
import type { QnnData, QnnOperation } from '@tundish/native/qnn';
import { ELEMENT_CODES, type PlannedTensor, type QnnGraphPlan, type WeightPaths } from '@tundish/toolchain-qairt';
import { constantCodes } from '../src/fidelity/constant-codes.js';

const TYPES: Readonly<Record<number, DataType>> = { [ELEMENT_CODES.UFIXED_POINT_8]: DataType.UINT8, [ELEMENT_CODES.UFIXED_POINT_16]: DataType.UINT16, [ELEMENT_CODES.SFIXED_POINT_8]: DataType.INT8 };
const OPERATORS: Readonly<Record<string, string>> = { Conv2d: 'MatMul', ElementWiseAdd: 'Add', ElementWiseMultiply: 'Mul', Sigmoid: 'Sigmoid', RmsNorm: 'RMSNormalization' };

/**
 * From codes to codes. @param operations in their order, of the types above, with weights of channels in 8 bits
 * @param from name of the one activation that they are given @param to name of the one that comes out
 */
export function onnxOf(plan: QnnGraphPlan, operations: readonly QnnOperation[], { from, to, paths }: { readonly from: string; readonly to: string; readonly paths: WeightPaths }): Uint8Array {
  const graph = new Graph('block');
  const tensors = new Map(plan.tensors.map((tensor) => [tensor.name, tensor]));
  const made = new Map<string, Value>();

  const grid = ({ name, element, quantization }: PlannedTensor): readonly [Value, Value] => {
    const type = TYPES[element] as DataType;
    const isAxis = quantization?.kind === 'axis';
    const scales = isAxis ? quantization.scales : [quantization?.kind === 'scale_offset' ? quantization.scale : NaN];
    const zeros = Array.from(scales, () => (quantization?.kind === 'scale_offset' ? -quantization.offset : 0));
    const dims = isAxis ? [zeros.length] : [];
    const codes = type === DataType.UINT16 ? Uint16Array.from(zeros) : Uint8Array.from(zeros);
    return [graph.addInitializer(`${name}_scale`, floatTensor(scales, dims)), graph.addInitializer(`${name}_zero`, inlineTensor(type, dims, bytesOf(codes)))];
  };
  const real = (codes: Value, [scale, zero]: readonly [Value, Value], axis?: number): Value => graph.addNode({ opType: 'DequantizeLinear', inputs: [codes, scale, zero], ...(axis === undefined ? {} : { attributes: { axis: { type: 'int', value: axis } } }) }).output();
  const valueOf = (name: string): Value => made.get(name) ?? constant(tensors.get(name) as PlannedTensor);
  const constant = (tensor: PlannedTensor): Value => {
    const codes: QnnData = constantCodes(tensor, tensor.data as NonNullable<PlannedTensor['data']>, paths);
    const dims = tensor.dims.slice(-2);
    return real(graph.addInitializer(tensor.name, inlineTensor(TYPES[tensor.element] as DataType, dims, bytesOf(codes))), grid(tensor), dims.length === 2 ? 1 : undefined);
  };

  const input = tensors.get(from) as PlannedTensor;
  made.set(from, real(graph.addInput(from, DataType.UINT16, input.dims), grid(input)));
  for (const operation of operations) {
    const output = tensors.get(operation.outputs[0] as string) as PlannedTensor;
    const sources = operation.inputs.slice(0, 2).map(valueOf);
    const computed = graph.addNode({ opType: OPERATORS[operation.type] as string, inputs: sources, attributes: attributesOf(operation) }).output();
    const pair = grid(output);
    const codes = graph.addNode({ opType: 'QuantizeLinear', inputs: [computed, ...pair], ...(output.name === to ? { outputs: [to] } : {}) }).output();
    if (output.name === to) graph.outputs.push(Object.assign(codes, { dtype: DataType.UINT16, shape: output.dims }));
    else made.set(output.name, real(codes, pair));
  }
  return encodeModel({ irVersion: 11, opsetImports: new Map([['', 23]]), producerName: 'tundish', graph, metadata: new Map() });
}

function attributesOf({ type, parameters }: QnnOperation): Record<string, Attribute> {
  if (type !== 'RmsNorm') return {};
  const epsilon = parameters.find(({ name }) => name === 'epsilon') as { readonly value: number };
  return { axis: { type: 'int', value: -1 }, epsilon: { type: 'float', value: epsilon.value } };
}
