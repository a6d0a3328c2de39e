/** Error codes of the quantize package. */
import { declareErrors } from '@tundish/diagnostics';

export const quantizeError = declareErrors({
  QUANTIZE_NOT_FINITE: 'A weight holds NaN or infinity.',
  QUANTIZE_WEIGHTS_CUT: 'A file of weights ends inside the range of a tensor.',
  QUANTIZE_BLOCK_SIZE: 'The block size does not divide the input channels of a weight.',
  QUANTIZE_RANGE_NOT_FINITE: 'An activation became NaN or infinite during calibration.',
  QUANTIZE_UNKNOWN_BLOCK: 'A part of the graph is not a decoder block that the forward pass knows.',
  QUANTIZE_UNKNOWN_PARAMETER: 'A constant of the graph is not a parameter that quantization knows.',
});
