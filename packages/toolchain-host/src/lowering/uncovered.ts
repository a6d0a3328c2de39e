/** The refusal of a quantized graph with values that would stay in floating point. */
import { printable } from '@tundish/diagnostics';
import { hostError } from '../errors.js';

/** @param names of the values, of which the first twenty are shown */
export function uncovered(names: readonly string[]): Error {
  const shown = names.slice(0, 20).map((name) => printable(name));
  return hostError('HOST_ENCODING_MISSING', {
    what: `${names.length} value${names.length === 1 ? '' : 's'} would stay in floating point: ${shown.join(', ')}${names.length > shown.length ? ', …' : ''}`,
    why: 'every computed value of a quantized graph has an encoding; one without it would make the result better than the device',
    fix: 'calibrate the graph with these values, or build without quantization',
  });
}
