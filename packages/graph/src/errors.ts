/** Error codes of the graph package. */
import { declareErrors } from '@tundish/diagnostics';

export const graphError = declareErrors({
  GRAPH_TENSOR_SIZE: 'The bytes of a tensor do not fit its shape and type.',
  GRAPH_TENSOR_SLICE: 'The requested rows of a tensor are not a byte range of it.',
  GRAPH_NAME_TAKEN: 'A value or node of this name exists already.',
  GRAPH_IN_USE: 'A node cannot be removed while its outputs are used.',
  GRAPH_UNKNOWN_VALUE: 'No value of this name is in the graph.',
  GRAPH_CYCLE: 'The graph has a cycle.',
  GRAPH_SHAPE_CONFLICT: 'Shapes or element types in the graph contradict each other.',
  GRAPH_OP: 'A node uses an operator that is not known, or uses it in a way that its definition forbids.',
  GRAPH_PASS: 'A graph pass met a graph that it does not accept, or left one that breaks its promise.',
  GRAPH_PARAMETER: 'The constant expression of a parameter cannot be evaluated.',
  GRAPH_HADAMARD: 'There is no Hadamard matrix of this size, or none of a size that can be applied.',
  GRAPH_EXTRACT: 'The requested outputs cannot be computed from the requested inputs.',
  GRAPH_DEVICE_NAMES: 'Two names become one when they are reduced to the characters that devices allow.',
  ONNX_MALFORMED: 'The file is not an ONNX model, or it is damaged.',
  ONNX_INVALID: 'The model breaks a rule of the ONNX specification.',
  ONNX_UNSUPPORTED: 'The model uses a feature of ONNX that Tundish does not carry.',
  ONNX_EXTERNAL_DATA: 'External data of a tensor is missing, out of range or outside of the folder of the model.',
});

/** Bytes at `offset` that are no protobuf of an ONNX model. */
export function malformed(fault: string, offset: number): Error {
  return graphError('ONNX_MALFORMED', {
    what: `not an ONNX file, or a damaged one: ${fault}`,
    why: `the bytes at ${offset} do not follow the protobuf encoding of an ONNX model`,
    evidence: { offset },
    fix: 'write or download the model again',
  });
}
