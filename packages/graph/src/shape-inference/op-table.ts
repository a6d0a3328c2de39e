/** The operators that Tundish knows: the one place that says which, from which opset, and how their shapes follow. */
import { printable } from '@tundish/diagnostics';
import { graphError } from '../errors.js';
import { TUNDISH_DOMAIN } from '../hadamard/hadamard-node.js';
import type { Node } from '../node.js';
import { inferCodeBinary, inferCodeNarrow, inferCodeRotary, inferCodeUnary } from './codes.js';
import { inferConv } from './convolution.js';
import { inferBinary, inferCast, inferPow, inferUnary, inferWhere } from './elementwise.js';
import { inferGather, inferGatherBlockQuantized, inferScatterElements } from './indexing.js';
import { inferExpand, inferReshape, inferSqueeze, inferTranspose, inferUnsqueeze } from './layout.js';
import { inferCodeLinear, inferCodeMatMul, inferMatMul, inferMatMulNBits } from './matmul.js';
import { inferReduce, inferRmsNormalization, inferSoftmax } from './normalization.js';
import { inferDequantize, inferQuantize } from './quantization.js';
import { inferHadamard } from './rotation.js';
import type { ShapeRule } from './rule.js';
import { inferConstantOfShape, inferShape } from './shape-values.js';
import { inferConcat, inferSlice, inferSplit } from './slicing.js';

/** First opset in which an operator has the inputs that its rule reads, and the rule. */
interface Op {
  readonly since: number;
  readonly infer: ShapeRule;
}

const op = (since: number, infer: ShapeRule): Op => ({ since, infer });

const DOMAINS: ReadonlyMap<string, ReadonlyMap<string, Op>> = new Map([
  ['', new Map(Object.entries({
    Add: op(7, inferBinary),
    BitShift: op(11, inferBinary),
    BitwiseAnd: op(18, inferBinary),
    BitwiseOr: op(18, inferBinary),
    BitwiseXor: op(18, inferBinary),
    Cast: op(6, inferCast),
    Concat: op(4, inferConcat),
    ConstantOfShape: op(9, inferConstantOfShape),
    Conv: op(1, inferConv),
    DequantizeLinear: op(10, inferDequantize),
    Div: op(7, inferBinary),
    Expand: op(8, inferExpand),
    Gather: op(1, inferGather),
    Identity: op(1, inferUnary),
    MatMul: op(1, inferMatMul),
    Mul: op(7, inferBinary),
    Pow: op(7, inferPow),
    QuantizeLinear: op(10, inferQuantize),
    RMSNormalization: op(23, inferRmsNormalization),
    ReduceMax: op(18, inferReduce),
    ReduceMean: op(18, inferReduce),
    ReduceMin: op(18, inferReduce),
    Relu: op(6, inferUnary),
    Reshape: op(5, inferReshape),
    ScatterElements: op(11, inferScatterElements),
    Shape: op(1, inferShape),
    Sigmoid: op(6, inferUnary),
    Slice: op(10, inferSlice),
    Softmax: op(13, inferSoftmax),
    Split: op(13, inferSplit),
    Squeeze: op(13, inferSqueeze),
    Sub: op(7, inferBinary),
    Transpose: op(1, inferTranspose),
    Unsqueeze: op(13, inferUnsqueeze),
    Where: op(9, inferWhere),
  }))],
  ['com.microsoft', new Map(Object.entries({
    GatherBlockQuantized: op(1, inferGatherBlockQuantized),
    MatMulNBits: op(1, inferMatMulNBits),
  }))],
  [TUNDISH_DOMAIN, new Map(Object.entries({
    CodeLinear: op(1, inferCodeLinear),
    CodeMatMul: op(1, inferCodeMatMul),
    Hadamard: op(1, inferHadamard),
    HtpAdd: op(1, inferCodeBinary),
    HtpConvert: op(1, inferCodeUnary),
    HtpLinear: op(1, inferCodeLinear),
    HtpMatMul: op(1, inferCodeMatMul),
    HtpMul: op(1, inferCodeBinary),
    HtpNarrow: op(1, inferCodeNarrow),
    HtpRmsNorm: op(1, inferCodeUnary),
    HtpRotary: op(1, inferCodeRotary),
    HtpSigmoid: op(1, inferCodeUnary),
    HtpSoftmax: op(1, inferCodeUnary),
    HtpSub: op(1, inferCodeBinary),
  }))],
]);

/** Names of the known operators, `domain:name` outside of the default domain, sorted. */
export function knownOps(): readonly string[] {
  return [...DOMAINS].flatMap(([domain, ops]) => [...ops.keys()].map((name) => (domain === '' ? name : `${domain}:${name}`))).sort();
}

/**
 * The shape rule of a node.
 *
 * @throws GRAPH_OP for a domain that is not imported, an operator that is not known, or an opset that is too old for it
 */
export function ruleOf(node: Node, opsets: ReadonlyMap<string, number>): ShapeRule {
  const [name, opType, domain] = [printable(node.name), printable(node.opType), printable(node.domain)];
  const opset = opsets.get(node.domain);
  const evidence = { detail: `node ${name}` };
  if (opset === undefined) {
    throw graphError('GRAPH_OP', {
      what: `${name}: domain ${domain || 'ai.onnx'} has no opset import`,
      why: 'the meaning of an operator depends on the opset of its domain',
      evidence,
      fix: 'export the model again with the import of every domain it uses',
    });
  }
  const found = DOMAINS.get(node.domain)?.get(node.opType);
  if (found === undefined) {
    throw graphError('GRAPH_OP', {
      what: `${name}: unknown op ${opType} in opset ${opset}${domain === '' ? '' : ` of ${domain}`}`,
      why: `known: ${knownOps().join(', ')}`,
      evidence,
      fix: 'express it with known operators before the import',
    });
  }
  if (opset < found.since) {
    throw graphError('GRAPH_OP', {
      what: `${name}: ${opType} is known from opset ${found.since}, the model imports ${opset}`,
      why: 'older versions of it are not there or take other operands',
      evidence,
      fix: `export for opset ${found.since} or newer`,
    });
  }
  return found.infer;
}
