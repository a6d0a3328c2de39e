/** A parameter after quantization: its tensors in a weight file and how the graph dequantizes them. */
import type { ExternalTensor, ParameterEncoding, PerTensorEncoding } from '@tundish/graph';

export type QuantizedWeight =
  | {
      readonly kind: 'lpbq';
      /** UINT4 [out,in], code + 8. */
      readonly codes: ExternalTensor;
      /** UINT8 [out,in/blockSize], 1..16. */
      readonly blockScale: ExternalTensor;
      /** FLOAT [out,1]. */
      readonly channelScale: ExternalTensor;
      /** UINT4 [out,in/blockSize], all 8. */
      readonly zeroPoint: ExternalTensor;
      readonly blockSize: number;
      readonly encoding: ParameterEncoding;
    }
  | {
      readonly kind: 'per-channel';
      /** INT8 [out,in], or UINT4, code + 8. */
      readonly codes: ExternalTensor;
      /** FLOAT [out]. */
      readonly scale: ExternalTensor;
      /** UINT4 [out], all 8; absent for INT8. */
      readonly zeroPoint?: ExternalTensor;
      readonly encoding: ParameterEncoding;
    }
  | {
      readonly kind: 'per-block';
      /** INT8 [out,in], or UINT4, code + 8. */
      readonly codes: ExternalTensor;
      /** FLOAT [out,in/blockSize]. */
      readonly scale: ExternalTensor;
      /** UINT4 [out,in/blockSize], all 8; absent for INT8. */
      readonly zeroPoint?: ExternalTensor;
      readonly blockSize: number;
      readonly encoding: ParameterEncoding;
    }
  | {
      readonly kind: 'per-tensor';
      /** UINT8 or UINT16, the parameter's own shape. */
      readonly codes: ExternalTensor;
      readonly encoding: PerTensorEncoding;
    }
  | {
      /** Biases stay in floating point: devices hold them as int32 with the scale of the product. */
      readonly kind: 'float';
      /** FLOAT, the parameter's own shape. */
      readonly values: ExternalTensor;
    };

/** Signal-to-quantization-noise ratio in dB: 10 log10(sum w^2 / sum (w - w')^2); infinite for an exact copy. */
export function sqnr(signal: number, noise: number): number {
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}
