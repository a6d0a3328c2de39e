/** Error codes of the transform package. */
import { declareErrors } from '@tundish/diagnostics';

export const transformError = declareErrors({
  ARCL_SIZE_INVALID: 'AR and CL of a graph must be whole numbers with AR below CL.',
  ARCL_BASE_MISMATCH: 'A graph does not have the AR and CL that it is said to have.',
  ARCL_BASE_COLLIDES: 'AR, CL or CL-AR of a base graph also occur as another size, so they cannot be replaced safely.',
  ARCL_IO_MISMATCH: 'After AR/CL conversion an input or output does not have the shape of the IO contract.',
  SPLIT_NO_STREAM: 'The residual stream of a graph could not be followed.',
  SPLIT_PARTS_INVALID: 'A model cannot be split into this many parts.',
  SHA_NO_ATTENTION: 'No attention was found to rewrite into single heads.',
  SHA_PATTERN: 'An operator inside attention cannot be rewritten head by head.',
  ROTATE_GAIN: 'The residual stream cannot be rotated, because a norm keeps its gain.',
  ROTATE_STREAM: 'The residual stream is used in a way that a rotation cannot pass.',
  ROTATE_ATTENTION: 'An attention is not of the form whose heads can be rotated.',
  ENCODINGS_CACHE_UNTIED: 'The cache that enters a graph and the cache that leaves it have different encodings.',
  ENCODINGS_HEADS: 'The scales of a cache are not as many as the heads that it is cut into.',
  ENCODINGS_ROWS: 'The rows of a weight encoding cannot be shared out among the heads of the weight.',
});
