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
  EVALUATE_RESULT_INVALID: 'A file of results does not have the form that an evaluation writes.',
  EVALUATE_QUESTIONS_INVALID: 'A file of multiple-choice questions does not have the form of MMLU.',
  EVALUATE_QUESTION_TOO_LONG: 'A multiple-choice question does not fit into the context, even without examples.',
  EVALUATE_EXAMPLES_MISSING: 'A prompt with examples was asked for and there are not enough examples.',
  EVALUATE_LETTERS: 'The tokenizer has no single token for each answer letter.',
});
