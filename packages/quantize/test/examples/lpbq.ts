/** LPBQ without any data: scales by minimum and maximum, codes to nearest. */
import { loadKernels } from '@tundish/native';

export function roundLpbq(w: Float32Array, n: number, k: number, blockSize: number) {
  const kernels = loadKernels();
  const weight = kernels.quantizeLpbq(w, n, k, blockSize);
  return { weight, values: kernels.dequantizeLpbq(weight, n, k, blockSize) };
}
