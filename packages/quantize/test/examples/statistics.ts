/** What techniques learn from: second moments of the inputs of a layer. */
import type { Compute } from '@tundish/quantize/techniques';

/** X'X / tokens of the inputs x [tokens, k]: fp32 [k, k]. */
export function gramOf({ kernels, threads }: Compute, x: Float32Array, tokens: number, k: number): Float32Array {
  const gram = new Float32Array(k * k);
  kernels.algebra.accumulateGram(gram, x, tokens, k, threads);
  kernels.algebra.mirror(gram, k);
  return gram.map((sum) => sum / tokens);
}

/** A'X / tokens for a [tokens, n], the float model's inputs or outputs, and the inputs x [tokens, k]: fp32 [n, k]. */
export function crossOf({ kernels, threads }: Compute, a: Float32Array, x: Float32Array, tokens: number): Float32Array {
  const [n, k] = [a.length / tokens, x.length / tokens];
  const cross = new Float32Array(n * k);
  kernels.algebra.accumulateCross(cross, a, x, tokens, n, k, threads);
  return cross.map((sum) => sum / tokens);
}
