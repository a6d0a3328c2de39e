/** From what inspection says of a context binary to what the lint looks at. */
import type { BundleBinary, BundleTensor } from './bundle.js';

/** A tensor as the vendor's library states it: real = (code + offset) * scale. */
export interface InspectedTensor {
  readonly name: string;
  /** `UFIXED_POINT_16` */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Other kinds than these two have no single scale. */
  readonly quantization: { readonly kind: 'scale_offset' | 'bitwidth'; readonly scale: number; readonly offset: number } | { readonly kind: string } | null;
}

export interface InspectedBinary {
  /** Null in binaries that state none. */
  readonly socModel: number | null;
  readonly graphs: readonly { readonly name: string; readonly inputs: readonly InspectedTensor[]; readonly outputs: readonly InspectedTensor[] }[];
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['UFIXED_POINT_8', 'uint8'], ['SFIXED_POINT_8', 'int8'], ['UFIXED_POINT_16', 'uint16'], ['SFIXED_POINT_16', 'int16'], ['INT_32', 'int32'], ['FLOAT_16', 'float16'], ['FLOAT_32', 'float32'],
]);

export function bundleBinary({ socModel, graphs }: InspectedBinary): BundleBinary {
  return { socModel, graphs: graphs.map(({ name, inputs, outputs }) => ({ name, inputs: inputs.map(bundleTensor), outputs: outputs.map(bundleTensor) })) };
}

function bundleTensor({ name, dtype, shape, quantization }: InspectedTensor): BundleTensor {
  const tensor = { name, dtype: TYPES.get(dtype) ?? dtype, shape };
  return quantization !== null && 'scale' in quantization ? { ...tensor, quantization: { scale: quantization.scale, zeroPoint: 0 - quantization.offset } } : tensor;
}
