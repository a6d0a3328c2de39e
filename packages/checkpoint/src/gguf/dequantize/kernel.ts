/** What turns blocks of one tensor type into floats. */

/**
 * Every value is computed as ggml's `dequantize_row_*` does in float32. Scale times code has at most 24 significant bits
 * and a sum of two such products fits a float64, so one rounding, that of the store into `out`, is the same.
 *
 * @param bytes `blocks` whole blocks, one after the other
 * @param out room for their elements
 */
export type Kernel = (bytes: Uint8Array, out: Float32Array, blocks: number) => void;
