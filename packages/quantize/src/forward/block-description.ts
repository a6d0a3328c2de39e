/** Recognises a decoder block in a segment of an adapted graph: its sizes, and which parameter does what. */
import { printable } from '@tundish/diagnostics';
import type { Projection, Value } from '@tundish/graph';
import { type Parameter, type ParameterRole, findParameters } from '../parameters.js';
import type { Segment } from '../segments.js';
import { type AttentionDescription, describeAttention } from './attention-description.js';
import { type BlockShape, LINEAR_ROLES, type LinearRole, linearDims } from './block-weights.js';
import { expectBlock, expectSame, expectShape, madeBy, projectionOf } from './expected-graph.js';

export interface LinearParameters {
  readonly weight: Parameter;
  readonly bias?: Parameter;
}

/** Parameters have the names of their initializers; weights may be expressions over them, such as folded gains. */
export interface BlockDescription {
  readonly shape: BlockShape;
  readonly linears: Readonly<Record<LinearRole, LinearParameters>>;
  /** All ones where the gains were folded into the weights. */
  readonly attentionGain: Parameter;
  readonly mlpGain: Parameter;
}

/**
 * Every node between the input and the output of the segment is checked, so `forwardBlock` with the parameters of the
 * result computes what the segment computes on a window with an empty past.
 *
 * @throws QUANTIZE_UNKNOWN_BLOCK when the segment is anything but such a block
 */
export function describeBlock(segment: Segment): BlockDescription {
  const { graph } = segment.model;
  expectBlock(segment.input !== undefined && segment.output !== 'logits', `${segment.name} is not a decoder block`);
  const output = madeBy(graph.value(segment.output), 'Add');
  const middle = madeBy(output.input(0), 'Add');
  expectSame(middle.input(0), graph.value(segment.input));
  const attention = describeAttention(middle.input(1));
  const mlp = describeMlp(output.input(1));
  const attentionNorm = describeNorm([attention.q, attention.k, attention.v], middle.input(0));
  const mlpNorm = describeNorm([mlp.gate, mlp.up], output.input(0));
  expectBlock(attentionNorm.epsilon === mlpNorm.epsilon, `the norms of ${segment.name} have different epsilons: ${attentionNorm.epsilon} and ${mlpNorm.epsilon}`);

  const shape = shapeOf(attention, mlp, attentionNorm.epsilon);
  const parameterOf = parametersByRoot(findParameters(graph));
  const projections: Readonly<Record<LinearRole, Projection>> = {
    q_proj: attention.q, k_proj: attention.k, v_proj: attention.v, o_proj: attention.o, gate_proj: mlp.gate, up_proj: mlp.up, down_proj: mlp.down,
  };
  const linears = Object.fromEntries(LINEAR_ROLES.map((role) => [role, linearParameters(projections[role], role, shape, parameterOf)]));
  for (const { gain } of [attentionNorm, mlpNorm]) expectShape(gain, [shape.hidden]);
  return {
    shape,
    linears: linears as Record<LinearRole, LinearParameters>,
    attentionGain: parameterOf('gain', attentionNorm.gain),
    mlpGain: parameterOf('gain', mlpNorm.gain),
  };
}

interface MlpDescription {
  readonly gate: Projection;
  readonly up: Projection;
  readonly down: Projection;
}

/** down(silu(gate) · up), SiLU in two nodes. */
function describeMlp(value: Value): MlpDescription {
  const down = projectionOf(value);
  const product = madeBy(down.input, 'Mul');
  const activated = madeBy(product.input(0), 'Mul');
  expectSame(madeBy(activated.input(1), 'Sigmoid').input(0), activated.input(0));
  return { gate: projectionOf(activated.input(0)), up: projectionOf(product.input(1)), down };
}

/** The norm of `stream` that all of `readers` read. */
function describeNorm(readers: readonly [Projection, ...Projection[]], stream: Value): { readonly gain: Value; readonly epsilon: number } {
  const [{ input }] = readers;
  for (const reader of readers) expectSame(reader.input, input);
  const norm = madeBy(input, 'RMSNormalization', { axis: -1 });
  expectSame(norm.input(0), stream);
  // The default of the ONNX operator.
  return { gain: norm.input(1), epsilon: norm.float('epsilon') ?? 1e-5 };
}

function shapeOf({ q, heads, kvHeads, headDim, rotatesHeads }: AttentionDescription, { gate }: MlpDescription, epsilon: number): BlockShape {
  const hidden = Number(q.parameter.shape?.[1]);
  return { hidden, heads, kvHeads, headDim, ffn: Number(gate.parameter.shape?.[0]), epsilon, ...(rotatesHeads ? { rotatesHeads } : {}) };
}

type ParameterOf = (role: ParameterRole, root: Value) => Parameter;

function parametersByRoot(parameters: readonly Parameter[]): ParameterOf {
  return (role, root) => {
    const found = parameters.find((parameter) => parameter.role === role && parameter.root === root);
    expectBlock(found !== undefined, `${printable(root.name)} is not a constant`);
    return found;
  };
}

function linearParameters({ parameter, bias }: Projection, role: LinearRole, shape: BlockShape, parameterOf: ParameterOf): LinearParameters {
  const dims = linearDims(role, shape);
  expectShape(parameter, [dims.out, dims.in]);
  if (bias === undefined) return { weight: parameterOf('projection', parameter) };
  expectShape(bias.parameter, [dims.out]);
  return { weight: parameterOf('projection', parameter), bias: parameterOf('bias', bias.parameter) };
}
