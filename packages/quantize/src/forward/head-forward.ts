/** The end of the model: final norm, and logits for some rows of the vocabulary at a time. */
import type { Kernels } from '@tundish/native';

/** norm(x), the input of the head. @param x residual stream behind the last block [tokens, hidden]; gain [hidden] */
export function headInput(kernels: Kernels, x: Float32Array, gain: Float32Array, epsilon: number, threads: number): Float32Array {
  return kernels.decoder.rmsNorm(x, gain, epsilon, threads);
}

/**
 * Logits [tokens, rows] of the rows of the head in `tile`. A large vocabulary goes through in tiles, so that the head is
 * never in fp32 as a whole.
 *
 * @param input result of `headInput` [tokens, hidden]
 * @param tile rows of the head [rows, hidden]
 */
export function headLogits(kernels: Kernels, input: Float32Array, tile: Float32Array, hidden: number, threads: number): Float32Array {
  return kernels.sgemm(input, tile, input.length / hidden, tile.length / hidden, hidden, { transposeB: true, threads });
}
