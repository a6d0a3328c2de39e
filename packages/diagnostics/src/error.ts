/** The one error class of Tundish: a code, what happened, why, the evidence, and what to do about it. */

/** Where the fault was seen. Every field is optional; give what is known, never a guess. */
export interface Evidence {
  /** File or folder concerned. */
  readonly path?: string;
  /** Byte offset inside `path`. */
  readonly offset?: number;
  /** 1-based line inside `path`. */
  readonly line?: number;
  /** 1-based column inside `path`. */
  readonly column?: number;
  /** Command line that failed. */
  readonly command?: string;
  /** Last lines that the command or library printed. */
  readonly stderr?: readonly string[];
  /** Anything else worth seeing, already short and printable. */
  readonly detail?: string;
}

/** The facts of one failure; `what` is the sentence a user reads first. */
export interface ErrorFacts {
  readonly what: string;
  readonly why?: string;
  readonly evidence?: Evidence;
  readonly fix?: string;
  readonly cause?: unknown;
}

/** Thrown for every failure that a user can meet; `message` holds all facts so that a bare print is already useful. */
export class TundishError extends Error {
  override readonly name = 'TundishError';
  readonly code: string;
  readonly what: string;
  readonly why: string | undefined;
  readonly evidence: Evidence;
  readonly fix: string | undefined;

  constructor(code: string, facts: ErrorFacts) {
    super(composeMessage(code, facts), facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.what = facts.what;
    this.why = facts.why;
    this.evidence = facts.evidence ?? {};
    this.fix = facts.fix;
  }

  toJSON(): Record<string, unknown> {
    return { code: this.code, what: this.what, why: this.why, evidence: this.evidence, fix: this.fix };
  }
}

const registry = new Map<string, string>();

/**
 * Declares the codes of one package, each with the line that docs/errors.md prints for it.
 *
 * @returns a factory that makes errors with one of these codes and no other
 * @throws Error when two packages declare the same code, since a code must identify one failure
 */
export function declareErrors<const Codes extends Record<string, string>>(
  codes: Codes,
): (code: keyof Codes & string, facts: ErrorFacts) => TundishError {
  for (const [code, meaning] of Object.entries(codes)) {
    const known = registry.get(code);
    if (known !== undefined && known !== meaning) throw new Error(`error code ${code} is declared twice`);
    registry.set(code, meaning);
  }
  return (code, facts) => new TundishError(code, facts);
}

/** All codes declared by the packages loaded so far, sorted; docs/errors.md is made from it. */
export function declaredErrors(): ReadonlyMap<string, string> {
  return new Map([...registry].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Terminal escapes and line breaks come from hostile file content: show them instead of sending them to the terminal. */
export function printable(text: string, limit = 200): string {
  // eslint-disable-next-line no-control-regex
  const shown = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return shown.length <= limit ? shown : `${shown.slice(0, limit)}… (${shown.length} characters)`;
}

/** The message of whatever was thrown: JavaScript throws any value, and so do libraries. Not yet `printable`. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function composeMessage(code: string, facts: ErrorFacts): string {
  const lines = [`${code}: ${facts.what}`];
  if (facts.why !== undefined) lines.push(`  why: ${facts.why}`);
  const at = describeEvidence(facts.evidence ?? {});
  if (at !== undefined) lines.push(`  at:  ${at}`);
  for (const line of facts.evidence?.stderr ?? []) lines.push(`       | ${line}`);
  if (facts.fix !== undefined) lines.push(`  fix: ${facts.fix}`);
  return lines.join('\n');
}

function describeEvidence(evidence: Evidence): string | undefined {
  const parts: string[] = [];
  if (evidence.path !== undefined) {
    let place = evidence.path;
    if (evidence.line !== undefined) place += `:${evidence.line}`;
    if (evidence.line !== undefined && evidence.column !== undefined) place += `:${evidence.column}`;
    parts.push(place);
  }
  if (evidence.offset !== undefined) parts.push(`byte ${evidence.offset}`);
  if (evidence.command !== undefined) parts.push(`command: ${evidence.command}`);
  if (evidence.detail !== undefined) parts.push(evidence.detail);
  return parts.length > 0 ? parts.join(', ') : undefined;
}
