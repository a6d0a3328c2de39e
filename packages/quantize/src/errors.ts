/** Error codes of the quantize package. */
import { declareErrors } from '@tundish/diagnostics';

export const quantizeError = declareErrors({
  QUANTIZE_NOT_FINITE: 'A weight holds NaN or infinity.',
  QUANTIZE_WEIGHTS_CUT: 'A file of weights ends inside the range of a tensor.',
  QUANTIZE_BLOCK_SIZE: 'The block size does not divide the input channels of a weight.',
  QUANTIZE_RANGE_NOT_FINITE: 'An activation became NaN or infinite during calibration, or nothing of it was seen.',
  QUANTIZE_UNKNOWN_BLOCK: 'A part of the graph is not a decoder block that the forward pass knows.',
  QUANTIZE_SMOOTHING: 'Smoothing cannot be folded into a weight or gain that several places of the graph read.',
  QUANTIZE_UNKNOWN_LAYER: 'A layer that the recipe gives a scheme of its own is not in the graph.',
  QUANTIZE_UNKNOWN_PARAMETER: 'A constant of the graph is not a parameter that quantization knows.',
  QUANTIZE_SOURCE_UNREADABLE: 'The ONNX file of a model that was quantized elsewhere cannot be read.',
  QUANTIZE_SOURCE_NAMES: 'A name of `quantize.source.names` is unknown, or two tensors of the files go by the name of one of the model.',
  QUANTIZE_SOURCE_WEIGHT: 'The ONNX file of a model that was quantized elsewhere lacks a weight, has one of another shape, or one that the model does not have.',
  QUANTIZE_SOURCE_ENCODING: 'A weight has no encoding among those that were made elsewhere.',
  QUANTIZE_SOURCE_FORM: 'An encoding that was made elsewhere has a form that this pipeline does not run.',
  QUANTIZE_SOURCE_COVERAGE: 'Activations have no encoding among those that were made elsewhere, and no text is given to measure them on.',
  ENCODINGS_UNREADABLE: 'An encodings file is missing, too large or not UTF-8.',
  ENCODINGS_NOT_JSON: 'An encodings file is not strict JSON, or not an object.',
  ENCODINGS_VERSION: 'An encodings file has a version that is not known.',
  ENCODINGS_FIELD: 'A field of an encodings file is missing, has the wrong type or is out of range.',
  ENCODINGS_DUPLICATE: 'An encodings file names one tensor, or one field, twice.',
  ENCODINGS_SHAPE: 'The scales of an encoding do not fit each other or the tensor of the graph.',
  ENCODINGS_NOT_EXPRESSIBLE: 'A version of the encodings format cannot say what an encoding says.',
});
