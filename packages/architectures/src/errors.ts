/** Error codes of the architectures package. */
import { declareErrors } from '@tundish/diagnostics';

export const architectureError = declareErrors({
  ARCHITECTURE_UNKNOWN: 'No architecture is registered for the model_type of this checkpoint.',
  ARCHITECTURE_BIAS_DROPPED: 'The checkpoint holds a bias that the configuration says is not there.',
  ARCHITECTURE_BASE_TAKEN: 'No base AR and CL could be found that occur nowhere else in the graph.',
  ARCHITECTURE_SIZE_INVALID: 'AR and CL of a graph must be whole numbers with AR below CL.',
});
