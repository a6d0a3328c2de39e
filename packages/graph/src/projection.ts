/**
 * Recognises a linear layer in the form in which Tundish writes it: W [out,in], possibly widened, scaled, rotated or dequantized,
 * then Transpose, MatMul and an optional bias.
 */
import type { Node, Value } from './node.js';

/** A linear layer y = x W^T (+ b). */
export interface Projection {
  /** The weight initializer: the checkpoint's own tensor, or the codes of a quantized one. */
  readonly weight: Value;
  /** What MatMul reads after the Transpose, `[out,in]`: the weight itself or the root of its constant expression. */
  readonly parameter: Value;
  /** The nodes between `weight` and `parameter`, from the weight on. */
  readonly steps: readonly Node[];
  readonly transpose: Node;
  readonly matmul: Node;
  /** The Add behind the MatMul and the vector that it adds, which is an initializer or made from one. */
  readonly bias?: { readonly add: Node; readonly parameter: Value };
  readonly input: Value;
  /** The result, behind the bias if there is one. */
  readonly output: Value;
}

/** Which input of a step carries the weight; the others hold gains, scales, shapes. */
const STEPS: ReadonlySet<string> = new Set(['Cast', 'Mul', 'Reshape', 'DequantizeLinear', 'Hadamard']);

/**
 * The projection that `node` is the MatMul of; undefined for other nodes and for products of two activations.
 * The weight is the initializer at the end of the data path: input 0 of Cast, Reshape, Hadamard and DequantizeLinear, and the
 * operand of Mul that has the full shape.
 */
export function matchProjection(node: Node): Projection | undefined {
  if (node.opType !== 'MatMul' || node.domain !== '') return undefined;
  const transpose = node.input(1).producer;
  if (transpose?.opType !== 'Transpose' || !swapsTwoAxes(transpose)) return undefined;
  const parameter = transpose.input(0);
  const steps = stepsTo(parameter);
  const weight = steps === undefined ? undefined : (steps[0] === undefined ? parameter : dataOperand(steps[0]));
  if (steps === undefined || weight?.tensor?.dims.length !== 2) return undefined;
  const bias = biasOf(node);
  const output = bias?.add.output() ?? node.output();
  return { weight, parameter, steps, transpose, matmul: node, input: node.input(0), output, ...(bias === undefined ? {} : { bias }) };
}

function swapsTwoAxes(transpose: Node): boolean {
  const perm = transpose.ints('perm') ?? (transpose.input(0).shape?.length === 2 ? [1, 0] : []);
  return perm.length === 2 && perm[0] === 1 && perm[1] === 0;
}

/** The steps from an initializer to `value`, or undefined when another operator is on the way. */
function stepsTo(value: Value): Node[] | undefined {
  const steps: Node[] = [];
  let at = value;
  while (at.tensor === undefined) {
    const { producer } = at;
    if (producer === undefined || !STEPS.has(producer.opType)) return undefined;
    steps.unshift(producer);
    at = dataOperand(producer);
  }
  return steps;
}

/** A gain is a row or a scalar, so the weight is the operand with more axes above 1. */
function dataOperand(step: Node): Value {
  if (step.opType !== 'Mul') return step.input(0);
  const [a, b] = [step.input(0), step.input(1)];
  return wideAxes(b) > wideAxes(a) ? b : a;
}

function wideAxes(value: Value): number {
  return (value.shape ?? []).filter((dim) => dim !== 1).length;
}

/** Only an Add that is the one reader of the product, of a vector made from constants, is a bias. */
function biasOf(matmul: Node): Projection['bias'] {
  const product = matmul.output();
  const [use, ...others] = product.uses;
  if (use?.node.opType !== 'Add' || others.length > 0 || matmul.graph.outputs.includes(product)) return undefined;
  const parameter = use.node.input(1 - use.index);
  if (parameter.shape?.length !== 1 || stepsTo(parameter) === undefined) return undefined;
  return { add: use.node, parameter };
}
