/** The port that every toolchain implements. */
export { encodeFloat16, widenFloat16 } from '@tundish/graph/half-floats';
export { graphName } from './port.js';
export type {
  BundleFile, BundleRequest, CellId, CompileRequest, CompileResult, ConvertRequest, ConvertResult, Executable, FileResolver, GraphIo, IoTensor, IoType,
  OpenModelRequest, OpenRequest, OpenedModel, ProducedFile, ReferenceExecutor, TensorData, Toolchain, ToolchainContext, ToolchainIdentity, ToolchainLimits,
} from './port.js';
