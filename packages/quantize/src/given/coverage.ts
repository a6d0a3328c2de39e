/** Refuses a build in which an activation would stay in floating point unseen. */
import { printable } from '@tundish/diagnostics';
import { quantizeError } from '../errors.js';
import type { QuantizeRequest } from '../quantize-request.js';

/** How many values a message names. */
const SHOWN = 5;

/** @throws QUANTIZE_SOURCE_COVERAGE when given encodings leave activations out and there is no text to measure them on */
export function requireCoverage({ given, calibration, activations }: Pick<QuantizeRequest, 'given' | 'calibration' | 'activations'>): void {
  const missing = given?.model.report.missing ?? [];
  if (!activations || calibration !== undefined || missing.length === 0) return;
  const shown = missing.slice(0, SHOWN).map((name) => printable(name)).join(', ');
  throw quantizeError('QUANTIZE_SOURCE_COVERAGE', {
    what: `${missing.length} activation(s) have no encoding: ${shown}${missing.length > SHOWN ? ', …' : ''}`,
    why: 'they would run in floating point, and the simulation would no longer be the device\'s',
    fix: 'write quantize.calibration: { text: PATH } to measure them; or quantize.source.onnx, by which activations are found; or say in quantize.source.names which they are; or activations: none',
  });
}
