/** The forward pass of a pre-norm decoder block in steps over windows of tokens, so that a caller can quantize between them. */
import { hadamardMatrix } from '@tundish/graph';
import type { Kernels, Products, ScaleGrid } from '@tundish/native';
import { type FloatStack, releasing, takeFloats } from '../float-stack.js';
import { type BlockShape, type BlockWeights, type Linear, type LinearRole, type RopeTables, linearDims } from './block-weights.js';

/** What every step needs: who computes, and the sizes. */
export interface BlockContext {
  readonly kernels: Kernels;
  /** Multiplies with the weights; default: `kernels.algebra`, in fp32. */
  readonly products?: Products;
  /** Multiplies with the codes of layers that have them, where `readsGrid`: their inputs are rounded to 8 bits. */
  readonly byCodes?: boolean;
  readonly shape: BlockShape;
  readonly threads: number;
  /** Tokens of a window where several stand one behind another; absent where all tokens are one window. */
  readonly windowLength?: number;
  /** Where results lie that end with their batch; absent: they are new. */
  readonly memory?: FloatStack;
}

/** Linear layers that read the same input. */
export type LinearGroup = 'qkv' | 'o' | 'gate_up' | 'down';

/** The layers of each group. */
export const LINEAR_GROUPS = {
  qkv: ['q_proj', 'k_proj', 'v_proj'],
  o: ['o_proj'],
  gate_up: ['gate_proj', 'up_proj'],
  down: ['down_proj'],
} as const satisfies Readonly<Record<LinearGroup, readonly LinearRole[]>>;

/** Receives the input [tokens, in] of a group before its linear layers are applied. */
export type CaptureInput = (group: LinearGroup, input: Float32Array) => void;

type Linears<Role extends LinearRole> = Readonly<Pick<BlockWeights['linears'], Role>>;

/** norm(x), the input of q, k and v. @param x residual stream [tokens, hidden] */
export function attentionInput(context: BlockContext, x: Float32Array, gain: Float32Array): Float32Array {
  return normalized(context, x, gain);
}

/** What attention reads: queries [tokens, heads, headDim], keys and values [tokens, kvHeads, headDim]. */
export interface AttentionHeads {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
}

/** Attention output before o: [tokens, heads · headDim]. @param input [tokens, hidden] */
export function attend(context: BlockContext, input: Float32Array, linears: Linears<'q_proj' | 'k_proj' | 'v_proj'>, rope: RopeTables): Float32Array {
  return attendHeads(context, attentionHeads(context, input, linears, rope));
}

/** Queries and keys behind all rotations, and values. @param input [tokens, hidden] */
export function attentionHeads(context: BlockContext, input: Float32Array, linears: Linears<'q_proj' | 'k_proj' | 'v_proj'>, rope: RopeTables): AttentionHeads {
  const { kernels, shape, threads } = context;
  const { headDim } = shape;
  const all = input.length / shape.hidden;
  const tokens = context.windowLength ?? all;
  const [cos, sin] = [rope.cos.subarray(0, (tokens * headDim) / 2), rope.sin.subarray(0, (tokens * headDim) / 2)];
  const q = applyLinear(context, input, 'q_proj', linears.q_proj);
  const k = applyLinear(context, input, 'k_proj', linears.k_proj);
  const v = applyLinear(context, input, 'v_proj', linears.v_proj);
  for (const x of [q, k]) for (const window of windowsOf(x, all, tokens)) kernels.decoder.rotate(window, tokens, headDim, cos, sin, threads);
  return shape.rotatesHeads === true ? { q: rotateHeads(context, q), k: rotateHeads(context, k), v } : { q, k, v };
}

/** Causal attention over all heads: [tokens, heads · headDim]. */
export function attendHeads({ kernels, shape: { heads, kvHeads, headDim }, threads, windowLength, memory }: BlockContext, { q, k, v }: AttentionHeads): Float32Array {
  const all = q.length / (heads * headDim);
  const tokens = windowLength ?? all;
  const attended = takeFloats(memory, q.length);
  const [queries, keys, values, out] = [q, k, v, attended].map((x) => windowsOf(x, all, tokens)) as [Float32Array[], Float32Array[], Float32Array[], Float32Array[]];
  out.forEach((window, i) => kernels.decoder.causalAttention(queries[i] as Float32Array, keys[i] as Float32Array, values[i] as Float32Array, { tokens, heads, kvHeads, headDim }, threads, window));
  return attended;
}

/** Views of `tokens` tokens each, of an array of `all` tokens. */
function windowsOf(x: Float32Array, all: number, tokens: number): Float32Array[] {
  const size = (tokens * x.length) / all;
  return Array.from({ length: all / tokens }, (_, i) => x.subarray(i * size, (i + 1) * size));
}

/** Every head [headDim] of x times the Hadamard matrix: a small part of the products with q and k. */
function rotateHeads({ kernels, shape: { headDim }, threads }: BlockContext, x: Float32Array): Float32Array {
  return kernels.sgemm(x, hadamardMatrix(headDim), x.length / headDim, headDim, headDim, { transposeB: true, threads });
}

/** x + attended · oᵀ: the residual stream between the halves of the block, [tokens, hidden]. */
export function afterAttention(context: BlockContext, x: Float32Array, attended: Float32Array, o: Linear): Float32Array {
  return addResidual(context, applyLinear(context, attended, 'o_proj', o), x);
}

/** norm of the residual stream, the input of gate and up. @param x result of `afterAttention` */
export function mlpInput(context: BlockContext, x: Float32Array, gain: Float32Array): Float32Array {
  return normalized(context, x, gain);
}

/** silu(gate(input)) · up(input), the input of down: [tokens, ffn]. @param input [tokens, hidden] */
export function gatedInput(context: BlockContext, input: Float32Array, linears: Linears<'gate_proj' | 'up_proj'>): Float32Array {
  const { kernels, threads, memory } = context;
  const gate = applyLinear(context, input, 'gate_proj', linears.gate_proj);
  releasing(memory, () => kernels.decoder.siluMultiply(gate, applyLinear(context, input, 'up_proj', linears.up_proj), threads));
  return gate;
}

/** x + gated · downᵀ: the residual stream that leaves the block, [tokens, hidden]. @param x result of `afterAttention` */
export function blockOutput(context: BlockContext, x: Float32Array, gated: Float32Array, down: Linear): Float32Array {
  return addResidual(context, applyLinear(context, gated, 'down_proj', down), x);
}

/**
 * All steps. The result equals the adapted graph of the block on a window with an empty past.
 *
 * @param x residual stream [tokens, hidden]
 * @throws KERNEL_ARGUMENT when sizes do not go together
 */
export function forwardBlock(context: BlockContext, weights: BlockWeights, x: Float32Array, rope: RopeTables, onCapture?: CaptureInput): Float32Array {
  const { linears } = weights;
  const captured = (group: LinearGroup, input: Float32Array): Float32Array => {
    onCapture?.(group, input);
    return input;
  };
  const attended = captured('o', attend(context, captured('qkv', attentionInput(context, x, weights.attentionGain)), linears, rope));
  const middle = afterAttention(context, x, attended, linears.o_proj);
  const gated = captured('down', gatedInput(context, captured('gate_up', mlpInput(context, middle, weights.mlpGain)), linears));
  return blockOutput(context, middle, gated, linears.down_proj);
}

/** Whether layers on such a grid multiply their codes, and round their inputs for it. */
export function multipliesCodes({ kernels, byCodes = false }: BlockContext, grid: Pick<ScaleGrid, 'block' | 'bits'>): boolean {
  return byCodes && kernels.algebra.readsGrid(grid);
}

/** x · weightᵀ (+ bias): [tokens, out]. @param x [tokens, in] */
export function applyLinear(context: BlockContext, x: Float32Array, role: LinearRole, { weight, bias, coded }: Linear): Float32Array {
  const { kernels, products = kernels.algebra, shape, threads, memory } = context;
  const dims = linearDims(role, shape);
  const m = x.length / dims.in;
  const y = takeFloats(memory, m * dims.out);
  const sizes = { m, n: dims.out, k: dims.in };
  if (coded !== undefined && multipliesCodes(context, coded.grid)) kernels.algebra.multiplyByCodes(y, x, coded.codes, coded.grid, sizes, threads);
  else products.multiplyInto(y, x, weight, { ...sizes, transposeB: true }, threads);
  if (bias !== undefined) kernels.decoder.add(y, bias, threads);
  return y;
}

function normalized({ kernels, shape, threads, memory }: BlockContext, x: Float32Array, gain: Float32Array): Float32Array {
  return kernels.decoder.rmsNorm(x, gain, shape.epsilon, threads, takeFloats(memory, x.length));
}

/** Adds x to `branch`, which nobody else holds. */
function addResidual({ kernels, threads }: BlockContext, branch: Float32Array, x: Float32Array): Float32Array {
  kernels.decoder.add(branch, x, threads);
  return branch;
}
