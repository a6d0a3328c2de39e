/** Bytes of projections in the schemes that a lock gives them, from the shapes in config.json. */
import type { ModelConfig } from '@tundish/checkpoint';
import type { QuantizeOptions } from '@tundish/recipe/lock';
import type { WeightScheme } from '@tundish/recipe/weight-scheme';

/** What one weight takes: its codes, and the scales of its blocks. Scales of channels are too few to count. */
export function bytesPerWeight(scheme: WeightScheme): number {
  const codes = scheme.bits / 8;
  if (scheme.scheme === 'per_channel') return codes;
  return codes + (scheme.scheme === 'lpbq' ? 1 : 4) / scheme.blockSize;
}

/**
 * Bytes of block `layer`, which has so many elements: a projection with a scheme of its own counts in that, and what data may
 * raise is shared by all blocks.
 */
export function blockBytes({ weights, overrides = {}, mixedPrecision }: Pick<QuantizeOptions, 'weights' | 'overrides' | 'mixedPrecision'>, layer: number, elements: number, config: ModelConfig): number {
  const base = bytesPerWeight(weights);
  const prefix = `model.layers.${layer}.`;
  const own = Object.entries(overrides).reduce((sum, [name, scheme]) => {
    return name.startsWith(prefix) ? sum + projectionElements(name.slice(prefix.length), config) * (bytesPerWeight(scheme) - base) : sum;
  }, elements * base);
  return Math.max(own, elements * base * (mixedPrecision?.budget ?? 0));
}

/** @param name within its block, as `mlp.down_proj` */
function projectionElements(name: string, { hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim }: ModelConfig): number {
  if (name.startsWith('mlp.')) return hiddenSize * intermediateSize;
  const heads = name.endsWith('k_proj') || name.endsWith('v_proj') ? numKeyValueHeads : numAttentionHeads;
  return hiddenSize * headDim * heads;
}
