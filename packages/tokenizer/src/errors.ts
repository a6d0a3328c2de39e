/** The failures of this package. */
import { declareErrors } from '@tundish/diagnostics';

export const fault = declareErrors({
  TOKENIZER_NOT_FOUND: 'A file of the tokenizer is not there or cannot be read.',
  TOKENIZER_NOT_JSON: 'A tokenizer file is not valid JSON.',
  TOKENIZER_INVALID: 'tokenizer.json contradicts itself.',
  TOKENIZER_UNSUPPORTED: 'tokenizer.json asks for a part that this build does not know.',
  TOKENIZER_BEYOND_VOCABULARY: 'A token id has no row in the embedding of the model.',
  CHAT_TEMPLATE_MISSING: 'The tokenizer has no chat template.',
  CHAT_TEMPLATE_FAILED: 'The chat template refuses these messages or is wrong itself.',
  CHAT_TEMPLATE_LIMIT: 'The chat template did not finish within its time or memory.',
  CORPUS_NOT_UTF8: 'A calibration or evaluation text is not valid UTF-8.',
  CORPUS_LINE: 'A line of a JSONL or chat file does not have the form of its format.',
  CORPUS_EMPTY: 'A JSONL or chat file holds no document.',
});
