/** Lints encodings against their graph: cheap rules that catch what fails on a device, or silently costs quality there. */
import type { Graph } from '@tundish/graph';
import type { EncodingsDocument } from '../encodings-formats/document.js';
import { cacheForm, cacheTied, maskedRange, scoreStep, secondOperand, unitInterval } from './attention-rules.js';
import { type Finding, type LintRule, namedFindings } from './finding.js';
import { knownTensor, scaleRange, symmetricOffset, weightShape } from './grid-rules.js';
import { coverage, gatheredTable, movement } from './movement-rules.js';
import { splitCodes } from './split-codes.js';
import { viewOf } from './view.js';
import { biasScale, floatBlocks, normGain, weightSymmetric, weightWidth } from './weight-rules.js';

/** Every rule about one graph, in the order of the documentation. */
export const LINT_RULES: readonly LintRule[] = [
  knownTensor, coverage, scaleRange, symmetricOffset, movement, gatheredTable,
  weightShape, weightSymmetric, weightWidth, splitCodes, floatBlocks, normGain, biasScale,
  secondOperand, cacheForm, cacheTied, unitInterval, scoreStep, maskedRange,
];

/** What the rules find, in their order; empty for encodings that keep them all. */
export function lintEncodings(graph: Graph, document: EncodingsDocument): readonly Finding[] {
  const view = viewOf(graph, document);
  return LINT_RULES.flatMap((rule) => namedFindings(rule.name, rule.check(view)));
}
