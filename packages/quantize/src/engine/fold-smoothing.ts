/** Puts smoothing factors into a decoder block, whose function stays: columns times them, what gives the inputs divided by them. */
import { printable } from '@tundish/diagnostics';
import { quantizeError } from '../errors.js';
import type { LinearGroup } from '../forward/block-forward.js';
import type { BlockShape, BlockWeights, Linear } from '../forward/block-weights.js';
import type { Parameter } from '../parameters.js';
import { timesColumns } from '../techniques/awq/awq.js';

/** One factor for each input of the layers of a group, fp32 [in]. Those of `o` are equal for the query heads of one value head. */
export type BlockFactors = Readonly<Record<LinearGroup, Float32Array>>;

/**
 * The gains carry the factors of q, k, v and of gate, up; the rows of v those of o, the rows of up those of down: the product
 * with the gate and the sum over positions leave channels apart.
 */
export function foldSmoothing({ linears, attentionGain, mlpGain }: BlockWeights, shape: BlockShape, factors: BlockFactors): BlockWeights {
  const { q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj } = linears;
  const inputs = ({ weight, ...rest }: Linear, group: LinearGroup): Linear => ({ weight: timesColumns(weight, factors[group]), ...rest });
  return {
    attentionGain: divided(attentionGain, factors.qkv),
    mlpGain: divided(mlpGain, factors.gate_up),
    linears: {
      q_proj: inputs(q_proj, 'qkv'),
      k_proj: inputs(k_proj, 'qkv'),
      v_proj: dividedOutputs(inputs(v_proj, 'qkv'), ofValueHeads(factors.o, shape)),
      o_proj: inputs(o_proj, 'o'),
      gate_proj: inputs(gate_proj, 'gate_up'),
      up_proj: dividedOutputs(inputs(up_proj, 'gate_up'), factors.down),
      down_proj: inputs(down_proj, 'down'),
    },
  };
}

/** Values [heads · headDim] that query heads of one value head share, once for each value head: [kvHeads · headDim]. */
function ofValueHeads(values: Float32Array, { heads, kvHeads, headDim }: BlockShape): Float32Array {
  const members = heads / kvHeads;
  return Float32Array.from({ length: kvHeads * headDim }, (_, i) => values[Math.floor(i / headDim) * members * headDim + (i % headDim)] as number);
}

function dividedOutputs({ weight, bias }: Linear, factors: Float32Array): Linear {
  const k = weight.length / factors.length;
  return { weight: weight.map((value, i) => value / (factors[Math.floor(i / k)] as number)), ...(bias === undefined ? {} : { bias: divided(bias, factors) }) };
}

function divided(values: Float32Array, factors: Float32Array): Float32Array {
  return values.map((value, i) => value / (factors[i] as number));
}

/**
 * Factors change what a parameter is to all that read it.
 *
 * @param parameters of the whole model
 * @throws QUANTIZE_SMOOTHING when a gain, a weight or a bias is read in more than one place
 */
export function requireFoldable(parameters: readonly Parameter[]): void {
  const places = new Set<string>();
  for (const { role, name, consumers } of parameters) {
    if (role === 'embedding' || role === 'rotation') continue;
    if (consumers.length === 1 && !places.has(name)) {
      places.add(name);
      continue;
    }
    throw quantizeError('QUANTIZE_SMOOTHING', { what: `${printable(name)} is read in several places, and factors of one would change the others`, fix: 'leave out quantize.smoothing for this model' });
  }
}
