/** What of one parameter was made elsewhere: its numbers, its grid, both or neither. */
import type { ParameterRequest } from '../quantize-parameter.js';
import type { TensorFiles, WeightReading } from '../weight-source.js';
import type { GivenModel } from './given-model.js';
import { storedSource } from './stored-source.js';

/** @param files of the ONNX file */
export function givenFor(given: GivenModel | undefined, key: string, files: TensorFiles, reading: WeightReading): Pick<ParameterRequest, 'source' | 'grid'> {
  const [layout, grid] = [given?.stored.get(key), given?.grids.get(key)];
  return { ...(layout === undefined ? {} : { source: storedSource(layout, files, reading) }), ...(grid === undefined ? {} : { grid }) };
}
