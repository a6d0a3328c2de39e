/** Error codes of the command line. */
import { declareErrors } from '@tundish/diagnostics';

export const cliError = declareErrors({
  CLI_USAGE: 'A command was called with words that it does not take.',
  CLI_PARITY_TENSOR: 'A golden file lacks a tensor, or has one of another shape.',
  CLI_LOCK_STALE: 'A lock that may not be rewritten does not match its recipe.',
  CLI_EVALUATE_STAGE: 'evaluate was asked about a stage whose result it cannot measure.',
  CLI_EVALUATE_TEXT: 'The evaluation text is missing.',
  CLI_EVALUATE_CONTEXT: 'The windows of an evaluation are longer than the model or its container reaches.',
  CLI_COMPARE_CHECKPOINT: 'A recipe that was to be compared is of another checkpoint.',
  CLI_CHAT_TEMPLATE: 'A container without a chat template was asked to chat.',
  CLI_EXPORT_HOST: 'A model that is built for no device has nothing for the tools of a device.',
  CLI_INSPECT_MISSING: 'What inspect was asked about is no path and no model.',
  CLI_INSPECT_UNKNOWN: 'A file or folder is of no kind that inspect knows.',
  CLI_INSPECT_SKETCH: 'A picture was asked for of what has no compiled graphs, or none that can be read.',
  CLI_INSPECT_LARGE: 'A file without a header is too large to be inspected.',
  CLI_ATTACH_EMPTY: 'A folder that is to be attached holds no cache entry.',
  CLI_NX: 'A command needs Nx to plan tasks, and it cannot be started or fails.',
  CLI_CI_TARGET: 'A build is to be planned for a target that no model has.',
  CLI_CI_SIZE: 'A build plan has more shards or waves than the CI system takes.',
  CLI_TOOLCHAIN_UNKNOWN: 'A container or a recipe names a toolchain that is not installed.',
});
