/** Error codes of the host toolchain. */
import { declareErrors } from '@tundish/diagnostics';

export const hostError = declareErrors({
  HOST_RUNTIME_MISSING: 'ONNX Runtime is not installed for this platform.',
  HOST_CANCELLED: 'The caller cancelled the work.',
  HOST_ENCODING_MISSING: 'Values of a quantized graph have no encoding.',
  HOST_KV_ENCODING: 'A cache input and its output have different encodings.',
  HOST_WEIGHT_FORM: 'A quantized weight is in a form that the host does not lower.',
  HOST_NUMERICS: 'A graph cannot be computed as a Hexagon processor does.',
  HOST_GRAPH_TYPE: 'An element type or a shape of the graph is unknown or cannot cross the port.',
  HOST_FILE_MISSING: 'A file that a graph refers to is not there.',
  HOST_FILE_DAMAGED: 'A compiled graph or its data file is not whole.',
  HOST_COMPILE_FAILED: 'ONNX Runtime could not compile a graph.',
  HOST_SESSION_FAILED: 'ONNX Runtime could not open a graph.',
  HOST_RUN_FAILED: 'ONNX Runtime could not run a graph.',
  HOST_WORKER_DIED: 'The thread that runs the graphs ended before it answered.',
  HOST_CLOSED: 'The part has been closed.',
  HOST_UNKNOWN_GRAPH: 'No graph of this name is in the part.',
  HOST_INPUT: 'An input is missing, unknown, or of the wrong type or size.',
  HOST_OUTPUT: 'An output was asked for that does not exist or cannot be returned.',
});
