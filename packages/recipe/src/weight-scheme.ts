/** What the codes and scales of a projection's weight [out, in] are; with every choice made. */

export type WeightScheme =
  /** 4-bit codes, an integer 1..16 for each block of inputs under a float scale for each output channel. */
  | { readonly scheme: 'lpbq'; readonly bits: 4; readonly blockSize: BlockSize }
  /** One float scale for each output channel. */
  | { readonly scheme: 'per_channel'; readonly bits: 4 | 8 }
  /** One float scale for each block of inputs of a channel. */
  | { readonly scheme: 'per_block'; readonly bits: 4 | 8; readonly blockSize: BlockSize };

/** Input channels that share a scale. */
export type BlockSize = 16 | 32 | 64;

export type SchemeName = WeightScheme['scheme'];

/** What a recipe says of a weight. */
export interface WeightKeys {
  readonly scheme: SchemeName;
  readonly bits: 4 | 8;
  readonly blockSize?: BlockSize | undefined;
}

/** A key that does not go with the scheme, and why. */
export interface SchemeFault {
  readonly key: 'bits' | 'blockSize';
  readonly why: string;
  readonly fix: string;
}

const DEFAULT_BLOCK_SIZE = 32;

/** The scheme that the keys mean, or what is wrong with them. */
export function weightScheme({ scheme, bits, blockSize }: WeightKeys): WeightScheme | SchemeFault {
  if (scheme === 'per_channel') {
    if (blockSize === undefined) return { scheme, bits };
    return { key: 'blockSize', why: 'per_channel has one scale a channel and no blocks', fix: 'leave blockSize out, or write scheme: per_block' };
  }
  if (scheme === 'per_block') return { scheme, bits, blockSize: blockSize ?? DEFAULT_BLOCK_SIZE };
  if (bits === 4) return { scheme, bits, blockSize: blockSize ?? DEFAULT_BLOCK_SIZE };
  return { key: 'bits', why: 'lpbq is 4 bits wide: its integers 1 to 16 widen 4-bit codes to 8 bits', fix: 'write bits: 4, or scheme: per_channel with bits: 8' };
}
