/** Every failure of executing a container. */
import { declareErrors } from '@tundish/diagnostics';

export const runtimeError = declareErrors({
  RUNTIME_IO_MISMATCH: 'The inputs and outputs of the graphs do not fit each other or the manifest.',
  RUNTIME_CAPACITY: 'The tokens do not fit into the largest context length.',
  RUNTIME_TOKEN_OUT_OF_RANGE: 'A token id is outside the vocabulary.',
  RUNTIME_PROMPT_EMPTY: 'There is no token to start from.',
  RUNTIME_BUSY: 'An engine or session was called while an earlier call was running.',
  RUNTIME_LOGITS_NOT_FINITE: 'The model gave logits among which no token can be chosen.',
  RUNTIME_OPTION_INVALID: 'An option of generation is outside its range.',
  RUNTIME_TOOLCHAIN_DIFFERS: 'The container was compiled by another toolchain, version or kind of machine than the one that is to execute it.',
  RUNTIME_TOKENIZER_MISSING: 'Text was given to a container that has no tokenizer.',
  RUNTIME_POSITION_INVALID: 'A cache cannot be cut at this position.',
});
