/** From what Genie said to an error of ours. Its codes are few: the reason is what it printed. */
import { type ErrorFacts, type TundishError, printable } from '@tundish/diagnostics';
import { bundleError } from '../genie/errors.js';
import type { CallFailure, Said } from './protocol.js';

type Meaning = readonly [code: Parameters<typeof bundleError>[0], facts: Pick<ErrorFacts, 'what' | 'fix'>];

/** Printed on every machine that has no such processor, whatever is asked. */
const HARMLESS = /LIBNATIVE|failed to set affinity mask|^\[INFO\]/;

const SHOWN_LINES = 12;
/** Lines that say why, at most. */
const TOLD_LINES = 4;

const CREATE_CONFIG = 'GenieDialogConfig_createFromJson';

export function dialogError({ call, result }: CallFailure, { log, printed }: Said, subject: string | undefined): TundishError {
  const warnings = new Set(log.filter(({ level }) => level > 1).map(({ text }) => printable(text.trim())));
  const lines = [...new Set(printed.map((line) => line.trim()))].filter((line) => line !== '' && !HARMLESS.test(line) && !warnings.has(line));
  const [code, facts] = meaningOf(call, result, subject === undefined ? 'the bundle' : printable(subject));
  return bundleError(code, { ...facts, why: lines.length === 0 ? `code ${result}` : reasonOf(lines), evidence: { detail: `${call} gave ${result}`, ...(lines.length === 0 ? {} : { stderr: lines.slice(-SHOWN_LINES) }) } });
}

function meaningOf(call: string, result: number, subject: string): Meaning {
  if (call === CREATE_CONFIG && result === -7) return ['GENIE_CONFIG_JSON', { what: `Genie finds no JSON in the configuration of ${subject}` }];
  if (call === CREATE_CONFIG) return ['GENIE_CONFIG_SCHEMA', { what: `Genie refuses the configuration of ${subject}` }];
  if (call === 'GenieDialog_create') return ['GENIE_DIALOG_REFUSED', { what: `Genie refuses ${subject}`, fix: 'lint the bundle: most of what Genie refuses is found with a better reason' }];
  return ['GENIE_CALL_FAILED', { what: `${call} failed on ${subject}` }];
}

/** What the validator found, else the first words: what follows are consequences. */
function reasonOf(lines: readonly string[]): string {
  const found = lines.filter((line) => line.startsWith('- at '));
  return (found.length > 0 ? found.map((line) => line.slice(2)) : lines).slice(0, TOLD_LINES).join('; ');
}
