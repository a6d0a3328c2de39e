/** Holds a bundle against what Genie refuses and, above all, against what it does not check. */
import type { TundishError } from '@tundish/diagnostics';
import type { Bundle } from '../bundle.js';
import { bundleError } from '../errors.js';
import { CACHE_RULES } from './cache-rules.js';
import { CONFIG_RULES } from './config-rules.js';
import { FILE_RULES } from './file-rules.js';
import { GRAPH_RULES } from './graph-rules.js';
import { LORA_RULES } from './lora-rules.js';
import type { BundleRule } from './rule.js';
import { TENSOR_RULES } from './tensor-rules.js';
import { viewBundle } from './view.js';

/** All rules, in the order in which findings come. */
export const BUNDLE_RULES: readonly BundleRule[] = [...CONFIG_RULES, ...FILE_RULES, ...GRAPH_RULES, ...TENSOR_RULES, ...CACHE_RULES, ...LORA_RULES];

/** A rule that all of many graphs break need not be told for each. */
const FINDINGS_PER_RULE = 8;

/**
 * Any bundle, ours or foreign.
 *
 * @returns findings, each with its code (`GENIE_*`), at most 8 of a rule and one that counts the rest; empty for a clean bundle. Nothing is thrown
 */
export function lintBundle(bundle: Bundle): TundishError[] {
  const view = viewBundle(bundle);
  return BUNDLE_RULES.flatMap(({ code, check }) => {
    const facts = [...check(view)];
    const told = facts.slice(0, FINDINGS_PER_RULE);
    if (facts.length > told.length) told.push({ what: `${facts.length - told.length} more findings of this rule` });
    return told.map((each) => bundleError(code, each));
  });
}
