/** Failures of composing a graph for the vendor's compiler. */
import { declareErrors } from '@tundish/diagnostics';

export const composeError = declareErrors({
  QAIRT_CONCAT_ENCODING: 'Values that are joined have encodings of their own: the compiler would join their codes as they are.',
  QAIRT_ENCODING_MISSING: 'A value that the compiler computes as codes has no encoding.',
  QAIRT_ENCODING_UNSUPPORTED: 'An encoding cannot be said to the compiler.',
  QAIRT_GRAPH_SHAPE: 'A value has a shape or an element type that the compiler cannot take.',
  QAIRT_OP_UNSUPPORTED: 'An operator of a graph, or its form, has no counterpart in the compiler.',
  QAIRT_WEIGHT_UNSUPPORTED: 'A weight has a form that the compiler does not multiply with.',
});
