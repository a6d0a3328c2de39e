/** Error codes of the graph package. */
import { declareErrors } from '@tundish/diagnostics';

export const graphError = declareErrors({
  GRAPH_TENSOR_SIZE: 'The bytes of a tensor do not fit its shape and type.',
  GRAPH_TENSOR_SLICE: 'The requested rows of a tensor are not a byte range of it.',
  GRAPH_NAME_TAKEN: 'A value or node of this name exists already.',
  GRAPH_IN_USE: 'A node cannot be removed while its outputs are used.',
  GRAPH_UNKNOWN_VALUE: 'No value of this name is in the graph.',
  GRAPH_CYCLE: 'The graph has a cycle.',
});
