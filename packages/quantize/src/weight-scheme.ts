/** Which scheme the weight of each projection has. */
import type { Graph } from '@tundish/graph';
import type { WeightScheme } from '@tundish/recipe/weight-scheme';
import { quantizeError } from './errors.js';
import { findParameters } from './parameters.js';

/** Schemes of the decoder's projections. */
export interface WeightSchemes {
  /** Of all that `overrides` does not name. */
  readonly scheme: WeightScheme;
  /** By name of the projection, which is that of its weight without `.weight`. */
  readonly overrides?: Readonly<Record<string, WeightScheme>>;
}

/** @param name of the weight */
export function schemeOf({ scheme, overrides }: WeightSchemes, name: string): WeightScheme {
  return overrides?.[layerName(name)] ?? scheme;
}

/** Columns of the diagonal blocks of a Gram matrix that scales of these schemes are searched with; k where that is the whole of it. */
export function commonBlock(schemes: readonly WeightScheme[], k: number): number {
  const [first = k, ...others] = new Set(schemes.map((scheme) => ('blockSize' in scheme ? scheme.blockSize : k)));
  return others.length > 0 ? k : first;
}

/** Name of the layer whose weight has this name. */
export function layerName(name: string): string {
  return name.replace(/\.weight$/, '');
}

/** @throws QUANTIZE_UNKNOWN_LAYER for a scheme of a layer that the graph does not have */
export function requireLayers(graph: Graph, { overrides = {} }: WeightSchemes): void {
  const missing = new Set(Object.keys(overrides));
  if (missing.size > 0) for (const { role, name } of findParameters(graph)) if (role === 'projection') missing.delete(layerName(name));
  const [first] = missing;
  if (first === undefined) return;
  throw quantizeError('QUANTIZE_UNKNOWN_LAYER', { what: `${first} has a scheme of its own, and the graph has no such projection`, fix: 'take it out of quantize.overrides' });
}

/**
 * Columns that share a scale of a weight [rows, columns].
 *
 * @throws QUANTIZE_BLOCK_SIZE when the block size does not divide the columns, or 4-bit rows do not end with a byte
 */
export function blockOf(name: string, scheme: WeightScheme, columns: number): number {
  if (scheme.scheme !== 'per_channel') {
    requireBlocks(name, columns, scheme.blockSize);
    return scheme.blockSize;
  }
  if (scheme.bits === 8 || columns % 2 === 0) return columns;
  throw quantizeError('QUANTIZE_BLOCK_SIZE', { what: `${name} has ${columns} input channels, and two codes of 4 bits share a byte`, fix: 'give it 8 bits: quantize.overrides, or quantize.weights.bits' });
}

function requireBlocks(name: string, columns: number, blockSize: number): void {
  if (columns % blockSize === 0) return;
  const fitting = [16, 32, 64].filter((size) => columns % size === 0);
  throw quantizeError('QUANTIZE_BLOCK_SIZE', {
    what: `${name} has ${columns} input channels, which blocks of ${blockSize} do not divide`,
    fix: fitting.length === 0 ? 'no block size divides them: build in floating point with `quantize: none`' : `set quantize.weights.blockSize to ${fitting.join(' or ')}`,
  });
}
