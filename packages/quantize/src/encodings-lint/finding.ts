/** What a lint of encodings says of one tensor, and what a rule is. */
import type { LintView } from './view.js';

export interface Breach {
  /** Name of the value that is concerned. */
  readonly tensor: string;
  /** An error makes a wrong or unloadable artefact; a warning costs quality, or is a departure from what devices are tuned for. */
  readonly severity: 'error' | 'warning';
  readonly what: string;
  readonly fix: string;
}

export interface Finding extends Breach {
  readonly rule: string;
}

export interface LintRule {
  readonly name: string;
  /** What it asks, as the documentation says it. */
  readonly asks: string;
  /** What the host toolchain makes of a breach; integer accelerators take every rule as it is. */
  readonly host: string;
  check(view: LintView): Iterable<Breach>;
}

/** Findings of rules over whatever they look at. */
export function namedFindings(rule: string, breaches: Iterable<Breach>): Finding[] {
  return [...breaches].map((breach) => ({ rule, ...breach }));
}
