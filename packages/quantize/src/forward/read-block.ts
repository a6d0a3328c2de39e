/** The weights of a described block in fp32, read from the checkpoint's byte ranges. */
import type { Parameter } from '../parameters.js';
import { type TensorFiles, type WeightReading, weightSource } from '../weight-source.js';
import type { BlockDescription, LinearParameters } from './block-description.js';
import { type BlockWeights, LINEAR_ROLES, type Linear, type LinearRole } from './block-weights.js';

/** @throws QUANTIZE_NOT_FINITE, QUANTIZE_WEIGHTS_CUT */
export function readBlock({ linears, attentionGain, mlpGain }: BlockDescription, files: TensorFiles, reading: WeightReading): BlockWeights {
  const read = ({ name, root }: Parameter): Float32Array => {
    const source = weightSource(name, root, files, reading);
    return source.read(0, source.rows);
  };
  const readLinear = ({ weight, bias }: LinearParameters): Linear => ({ weight: read(weight), ...(bias === undefined ? {} : { bias: read(bias) }) });
  return {
    linears: Object.fromEntries(LINEAR_ROLES.map((role) => [role, readLinear(linears[role])])) as Record<LinearRole, Linear>,
    attentionGain: read(attentionGain),
    mlpGain: read(mlpGain),
  };
}
