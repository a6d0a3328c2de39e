/** A value as it lies on its grid. */
import type { PerTensorEncoding, Value } from '@tundish/graph';

export interface Coded {
  readonly codes: Value;
  readonly encoding: PerTensorEncoding;
}
