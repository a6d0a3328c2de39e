/** Holds encodings against the rules of the lint before a stage gives them on. */
import { type Reporter, printable } from '@tundish/diagnostics';
import type { Encodings, Graph } from '@tundish/graph';
import { type Finding, LINT_RULES, documentOf, lintEncodings } from '@tundish/quantize/encodings';
import { stageError } from './errors.js';

/** One finding of each of so many rules is shown, the others are counted. */
const SHOWN_RULES = 3;

/**
 * Reports warnings.
 *
 * @param more findings of rules about more than one graph
 * @throws STAGE_ENCODINGS naming the first error of each rule
 */
export function checkEncodings(graph: Graph, encodings: Encodings, reporter: Reporter, more: readonly Finding[] = []): void {
  const findings = [...lintEncodings(graph, documentOf(encodings)), ...more];
  const errors = findings.filter(({ severity }) => severity === 'error');
  const warnings = findings.filter(({ severity }) => severity === 'warning');
  const [first] = errors;
  if (first !== undefined) {
    throw stageError('STAGE_ENCODINGS', {
      what: `${errors.length} encoding(s) break a rule: ${shown(errors)}`,
      why: LINT_RULES.find(({ name }) => name === first.rule)?.asks ?? 'what was carried is not what was calibrated',
      fix: `${printable(first.tensor)}: ${first.fix}`,
    });
  }
  if (warnings.length > 0) reporter.warn(`encodings: ${shown(warnings)}`);
}

function shown(findings: readonly Finding[]): string {
  const firstOfRules = findings.filter(({ rule }, i) => findings.findIndex((other) => other.rule === rule) === i).slice(0, SHOWN_RULES);
  const lines = firstOfRules.map(({ rule, tensor, what }) => `${printable(tensor)} ${printable(what)} (${rule})`);
  return [...lines, ...(findings.length > lines.length ? [`and ${findings.length - lines.length} more`] : [])].join('; ');
}
