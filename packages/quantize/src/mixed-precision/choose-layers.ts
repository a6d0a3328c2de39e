/** Which layers get 8 bits: those whose rounding changes the most for each byte that more bits cost, as far as a budget goes. */
import type { WeightScheme } from '@tundish/recipe/weight-scheme';
import type { LayerReport } from '../engine/solve-group.js';
import { type WeightSchemes, layerName, schemeOf } from '../weight-scheme.js';

/** How many bytes the decoder's projections may take. */
export interface MixedPrecision {
  /** Times those that they take when all have the scheme of the recipe. */
  readonly budget: number;
}

/** A layer that was solved, with the shape of its weight [rows, columns]. */
export interface MeasuredLayer extends Pick<LayerReport, 'name' | 'sensitivity'> {
  readonly rows: number;
  readonly columns: number;
}

/** A layer that gets more bits. */
export interface RaisedLayer {
  readonly name: string;
  /** Before it was raised. */
  readonly sensitivity: number;
}

/** What a raised layer gets. */
export const RAISED: WeightScheme = { scheme: 'per_channel', bits: 8 };

/**
 * Layers with a scheme of their own keep it, and their bytes count. The others are taken by falling sensitivity for each
 * further byte (equal ones in the order of the graph); one that does not fit is passed over.
 *
 * @returns the layers that are raised, the most sensitive for its bytes first
 */
export function chooseLayers(layers: readonly MeasuredLayer[], schemes: WeightSchemes, { budget }: MixedPrecision): readonly RaisedLayer[] {
  const bytes = (scheme: WeightScheme, { rows, columns }: MeasuredLayer): number => weightBytes(scheme, rows, columns);
  const sum = (of: (layer: MeasuredLayer) => number): number => layers.reduce((total, layer) => total + of(layer), 0);
  let left = budget * sum((layer) => bytes(schemes.scheme, layer)) - sum((layer) => bytes(schemeOf(schemes, layer.name), layer));
  const open = layers.filter(({ name }) => schemes.overrides?.[layerName(name)] === undefined).map((layer) => {
    return { name: layerName(layer.name), sensitivity: layer.sensitivity ?? 0, cost: bytes(RAISED, layer) - bytes(schemes.scheme, layer) };
  });
  const raised: RaisedLayer[] = [];
  for (const { name, sensitivity, cost } of open.sort((a, b) => b.sensitivity / b.cost - a.sensitivity / a.cost)) {
    if (cost > left) continue;
    left -= cost;
    raised.push({ name, sensitivity });
  }
  return raised;
}

/** Bytes of the codes and scales of a weight [rows, columns]. */
export function weightBytes(scheme: WeightScheme, rows: number, columns: number): number {
  const codes = (rows * columns * scheme.bits) / 8;
  if (scheme.scheme === 'per_channel') return codes + 4 * rows;
  const blocks = (rows * columns) / scheme.blockSize;
  return codes + (scheme.scheme === 'lpbq' ? blocks + 4 * rows : 4 * blocks);
}
