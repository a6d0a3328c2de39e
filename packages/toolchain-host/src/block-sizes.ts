/** Block sizes of com.microsoft.MatMulNBits. */
export const BLOCK_SIZES: readonly number[] = [16, 32, 64, 128, 256];
