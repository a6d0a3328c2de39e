/** Which operation is modelled by what. */
import { modelAdd, modelConvert, modelMultiply, modelSigmoid, modelSubtract } from './elements.js';
import { modelMatMul } from './matmul.js';
import type { OperationModel } from './model.js';
import { modelConcat, modelGather, modelReshape, modelSlice, modelTranspose } from './moves.js';
import { modelProjection } from './projection.js';
import { modelRotaryEmbedding } from './rotary-embedding.js';
import { modelRmsNorm, modelSoftmax } from './rows.js';

/** By the vendor's name of the operation. */
export const OPERATION_MODELS: Readonly<Record<string, OperationModel>> = {
  Concat: modelConcat,
  Conv2d: modelProjection,
  Convert: modelConvert,
  Dequantize: modelConvert,
  ElementWiseAdd: modelAdd,
  ElementWiseMultiply: modelMultiply,
  ElementWiseSubtract: modelSubtract,
  Gather: modelGather,
  MatMul: modelMatMul,
  Reshape: modelReshape,
  RmsNorm: modelRmsNorm,
  RotaryEmbedding: modelRotaryEmbedding,
  Sigmoid: modelSigmoid,
  Softmax: modelSoftmax,
  StridedSlice: modelSlice,
  Transpose: modelTranspose,
};
