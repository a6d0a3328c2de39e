/**
 * Checks parsed JSON against a form. The files of the store are read by every command, thousands at a time: a schema library takes
 * longer to load than most commands to run.
 */
import { isSha256 } from './sha256.js';

/** Reports each fault of a value, as `path: must be …`. */
export type Form = (value: unknown, path: string, report: (fault: string) => void) => void;

/** Faults that a message names. */
const SHOWN = 5;

/** The first faults of a value; none when it has the form. */
export function faultsOf(value: unknown, form: Form): string[] {
  const faults: string[] = [];
  form(value, '', (fault) => faults.push(fault));
  return faults.slice(0, SHOWN);
}

/** @param mustBe ends the sentence that begins with the path */
export function matching(test: (value: unknown) => boolean, mustBe: string): Form {
  return (value, path, report) => {
    if (!test(value)) report(`${path}: must be ${mustBe}`);
  };
}

export const text = matching((value) => typeof value === 'string', 'text');
export const filledText = matching((value) => typeof value === 'string' && value !== '', 'text that is not empty');
export const finite = matching((value) => Number.isFinite(value), 'a number');
export const byteCount = matching((value) => Number.isSafeInteger(value) && (value as number) >= 0, 'a number of bytes');
export const digest = matching(isSha256, '64 lower-case hexadecimal digits');
/** Whatever JSON can hold: the value has been parsed from it, or canonical JSON is made of it. */
export const anything: Form = () => undefined;

export function nullable(form: Form): Form {
  return (value, path, report) => {
    if (value !== null) form(value, path, report);
  };
}

export function listOf(form: Form): Form {
  return (value, path, report) => {
    if (!Array.isArray(value)) return report(`${path}: must be a list`);
    value.forEach((item, i) => form(item, pathOf(path, String(i)), report));
  };
}

export function mappingOf(form: Form): Form {
  return (value, path, report) => {
    if (!isMapping(value)) return report(`${path}: must be a mapping`);
    for (const key of Object.keys(value)) form(value[key], pathOf(path, key), report);
  };
}

/** A mapping with these keys. @param others whether it may have more, which are passed over */
export function fields(required: Readonly<Record<string, Form>>, optional: Readonly<Record<string, Form>>, others: 'refused' | 'ignored'): Form {
  return (value, path, report) => {
    if (!isMapping(value)) return report(`${path}: must be a mapping`);
    for (const key of Object.keys(required)) required[key]?.(value[key], pathOf(path, key), report);
    for (const key of Object.keys(optional)) if (value[key] !== undefined) optional[key]?.(value[key], pathOf(path, key), report);
    if (others === 'ignored') return;
    const unknown = Object.keys(value).find((key) => !Object.hasOwn(required, key) && !Object.hasOwn(optional, key));
    if (unknown !== undefined) report(`${pathOf(path, unknown)}: is unknown`);
  };
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pathOf(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
