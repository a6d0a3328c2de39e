/** Every failure of an evaluation. */
import { declareErrors } from '@tundish/diagnostics';

export const evaluateError = declareErrors({
  EVALUATE_WINDOW_INVALID: 'The window length of a protocol leaves nothing to score.',
  EVALUATE_TEXT_TOO_SHORT: 'The evaluation text does not fill one window.',
  EVALUATE_ROWS_MISMATCH: 'A source of logits returned rows of the wrong number or width.',
  EVALUATE_LOGITS_NOT_FINITE: 'A row of logits holds NaN or infinity, so no probability follows from it.',
  EVALUATE_TOKEN_OUT_OF_RANGE: 'A token of the text is not in the vocabulary of the logits.',
  EVALUATE_SIZES_DIFFER: 'Two tensors that are held against each other have different sizes.',
  EVALUATE_PROTOCOL_MISMATCH: 'Two results were measured under different protocols and cannot be compared.',
});
