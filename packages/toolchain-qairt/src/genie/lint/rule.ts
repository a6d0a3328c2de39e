/** What a rule of the lint is. */
import type { ErrorFacts } from '@tundish/diagnostics';
import type { bundleError } from '../errors.js';
import type { BundleView } from './view.js';

export type BundleErrorCode = Parameters<typeof bundleError>[0];

export interface BundleRule {
  readonly code: BundleErrorCode;
  /** What it asks, as the documentation says it. */
  readonly asks: string;
  /** What Genie 1.21 does with a bundle that breaks it. */
  readonly genie: 'refuses it' | 'aborts the process' | 'says nothing' | 'generates wrong tokens' | 'not tried';
  check(view: BundleView): Iterable<ErrorFacts>;
}
