/** Which operator of an adapted graph is composed by what; docs/qairt-composer.md says what it becomes. */
import { composeConcat } from './concat.js';
import { composeElementwise } from './elementwise.js';
import { composeDequantize, composeGather } from './gather.js';
import { composeMatMul } from './matmul.js';
import type { ComposeNode } from './op.js';
import { composeReshape } from './reshape.js';
import { composeRmsNorm } from './rms-norm.js';
import { composeSigmoid } from './sigmoid.js';
import { composeSplit } from './split.js';
import { composeSoftmax } from './softmax.js';
import { composeTranspose } from './transpose.js';

/** By the operator of ONNX, in its standard domain. */
export const COMPOSED_OPS: Readonly<Record<string, ComposeNode>> = {
  Add: composeElementwise,
  Concat: composeConcat,
  DequantizeLinear: composeDequantize,
  Flatten: composeReshape,
  Gather: composeGather,
  Identity: composeReshape,
  MatMul: composeMatMul,
  Mul: composeElementwise,
  RMSNormalization: composeRmsNorm,
  Reshape: composeReshape,
  Sigmoid: composeSigmoid,
  Softmax: composeSoftmax,
  Split: composeSplit,
  Squeeze: composeReshape,
  Sub: composeElementwise,
  Transpose: composeTranspose,
  Unsqueeze: composeReshape,
};
