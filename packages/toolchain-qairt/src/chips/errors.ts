/** Failures of naming a chip. */
import { declareErrors } from '@tundish/diagnostics';

export const chipError = declareErrors({
  QAIRT_CHIP_UNKNOWN: 'No chip of this name or SoC id is in the table.',
});
