/** The backward pass of a decoder block over one window of tokens: gradients of its projections' weights and of its input. */
import { type AttentionHeads, type BlockContext, afterAttention, applyLinear, attendHeads, attentionHeads, attentionInput, blockOutput, mlpInput } from './block-forward.js';
import { type BlockWeights, type LinearRole, type RopeTables, linearDims } from './block-weights.js';
import { attentionBackward } from './attention-backward.js';

/** What the forward pass leaves for the backward pass. */
export interface BlockTrace {
  /** Residual stream [tokens, hidden] that enters, and between the halves. */
  readonly x: Float32Array;
  readonly middle: Float32Array;
  /** Inputs of the linear layers. */
  readonly attentionIn: Float32Array;
  readonly attended: Float32Array;
  readonly mlpIn: Float32Array;
  readonly gated: Float32Array;
  readonly heads: AttentionHeads;
  /** [tokens, ffn] each, before the activation. */
  readonly gate: Float32Array;
  readonly up: Float32Array;
  /** Residual stream that leaves, as `forwardBlock` gives it. */
  readonly output: Float32Array;
}

/** fp32 [out, in] for each projection. */
export type WeightGradients = Readonly<Record<LinearRole, Float32Array>>;

/** The forward pass with all that lies between. @param x residual stream [tokens, hidden] @throws KERNEL_ARGUMENT */
export function traceBlock(context: BlockContext, weights: BlockWeights, x: Float32Array, rope: RopeTables): BlockTrace {
  const { linears } = weights;
  const attentionIn = attentionInput(context, x, weights.attentionGain);
  const heads = attentionHeads(context, attentionIn, linears, rope);
  const attended = attendHeads(context, heads);
  const middle = afterAttention(context, x, attended, linears.o_proj);
  const mlpIn = mlpInput(context, middle, weights.mlpGain);
  const gate = applyLinear(context, mlpIn, 'gate_proj', linears.gate_proj);
  const up = applyLinear(context, mlpIn, 'up_proj', linears.up_proj);
  const gated = gate.slice();
  context.kernels.decoder.siluMultiply(gated, up, context.threads);
  return { x, middle, attentionIn, attended, mlpIn, gated, heads, gate, up, output: blockOutput(context, middle, gated, linears.down_proj) };
}

/**
 * Adds the gradients of the weights to `sums`. The trace is used up: gate and up are overwritten.
 *
 * @param gradient of the loss in the output [tokens, hidden]
 * @returns the gradient in the input [tokens, hidden]
 */
export function backwardBlock(context: BlockContext, weights: BlockWeights, rope: RopeTables, trace: BlockTrace, gradient: Float32Array, sums: WeightGradients): Float32Array {
  const { kernels: { decoder }, shape: { epsilon }, threads } = context;
  const { linears, attentionGain, mlpGain } = weights;
  const back = (role: LinearRole, dy: Float32Array, x: Float32Array, into?: Float32Array): Float32Array => linearBackward(context, role, linears[role].weight, dy, x, sums[role], into);

  const { gate, up } = trace;
  decoder.siluMultiplyBackward(gate, up, back('down_proj', gradient, trace.gated), threads);
  const dMlpIn = back('up_proj', up, trace.mlpIn, back('gate_proj', gate, trace.mlpIn));
  const dMiddle = normBackward(trace.middle, mlpGain, epsilon, dMlpIn, gradient);

  const { q, k, v } = attentionBackward(context, trace.heads, back('o_proj', dMiddle, trace.attended), rope);
  const dAttentionIn = back('v_proj', v, trace.attentionIn, back('k_proj', k, trace.attentionIn, back('q_proj', q, trace.attentionIn)));
  return normBackward(trace.x, attentionGain, epsilon, dAttentionIn, dMiddle);
}

/** Adds dyᵀ x to `sum` and gives dy · weight, on top of `into` where it is given: [tokens, in]. */
function linearBackward({ kernels, shape, threads }: BlockContext, role: LinearRole, weight: Float32Array, dy: Float32Array, x: Float32Array, sum: Float32Array, into?: Float32Array): Float32Array {
  const dims = linearDims(role, shape);
  const tokens = dy.length / dims.out;
  kernels.algebra.accumulateCross(sum, dy, x, tokens, dims.out, dims.in, threads);
  const dx = into ?? new Float32Array(tokens * dims.in);
  kernels.algebra.multiplyInto(dx, dy, weight, { m: tokens, n: dims.in, k: dims.out, accumulate: into !== undefined }, threads);
  return dx;
}

/**
 * Behind y = x r g, r = 1 / sqrt(mean(x²) + epsilon): dx = r u - x r³ mean(u x), u = dy g, plus what comes past the norm.
 * Sums in float64.
 */
function normBackward(x: Float32Array, gain: Float32Array, epsilon: number, dy: Float32Array, past: Float32Array): Float32Array {
  const columns = gain.length;
  const dx = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += columns) {
    let [squares, products] = [0, 0];
    for (let c = 0; c < columns; c++) {
      const value = x[start + c] as number;
      squares += value * value;
      products += value * (dy[start + c] as number) * (gain[c] as number);
    }
    const r = 1 / Math.sqrt(squares / columns + epsilon);
    const slope = (r * r * r * products) / columns;
    for (let c = 0; c < columns; c++) dx[start + c] = (past[start + c] as number) + r * (dy[start + c] as number) * (gain[c] as number) - slope * (x[start + c] as number);
  }
  return dx;
}
