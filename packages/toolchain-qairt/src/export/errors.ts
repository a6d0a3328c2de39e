/** Failures of writing what the vendor's other tools read. */
import { declareErrors } from '@tundish/diagnostics';

export const exportError = declareErrors({
  QAIRT_DLC_BUILD: 'A build of the libraries cannot write a deep learning container with these weights.',
  QAIRT_DLC_DIFFERS: 'A deep learning container does not hold the graph that was written.',
  QAIRT_EXPORT_TYPE: 'ONNX has no element type for a tensor of a compiled graph.',
});
