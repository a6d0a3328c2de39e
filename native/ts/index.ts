/** Numeric kernels: C++ when the addon is built, TypeScript with the same bytes when it is not. */
export { KERNEL_VERSION } from './addon.js';
export type { NativeIsa } from './addon.js';
export type { AttentionShape, DecoderKernels } from './decoder-kernels.js';
export type { Isa, KernelIdentity, Kernels, LpbqWeight, MinMax, PerChannelWeight, SgemmOptions, UnsignedGrid } from './kernels.js';
export type { Algebra, ProductShape, Products, SolveOptions } from './algebra.js';
export { ROUNDED_BLOCK } from './algebra.js';
export type { BlockGram, CandidateScales, CandidateSearch, Descent, FeedbackRounding, LpbqScales, LpbqSearch, ScaleGrid, Solvers, WeightMatrix } from './solvers.js';
export type { AdaScaleLayer, AdamRates, Reconstruction, SignRoundLayer } from './reconstruction.js';
export { loadKernels, variants } from './load.js';
export type { LoadOptions } from './load.js';
export { multiplyCodes, productVariants } from './code-products.js';
export type { CodeProduct, ProductForm, ProductIsa } from './code-products.js';
export { OPERATORS, openOnnxRuntime } from './onnx-runtime.js';
export type { OnnxData, OnnxFeed, OnnxRuntime, OnnxSession, OnnxSessionOptions } from './onnx-runtime.js';
export { candidateScale, symmetricRange } from './typescript/ranges.js';
