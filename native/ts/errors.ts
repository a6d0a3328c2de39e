/** Error codes of the kernels package. */
import { declareErrors } from '@tundish/diagnostics';

export const kernelError = declareErrors({
  KERNEL_ARGUMENT: 'A kernel was called with sizes that do not fit its arrays, or with a number out of bounds.',
  KERNEL_UNAVAILABLE: 'The compiled kernels were required but cannot be loaded.',
});
