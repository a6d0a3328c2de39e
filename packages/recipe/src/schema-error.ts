/** Turns what the schema refuses into one error that names the key, its line, what was expected and the nearest known name. */
import { printable } from '@tundish/diagnostics';
import type { TundishError } from '@tundish/diagnostics';
import { z } from 'zod';
import { recipeError } from './errors.js';
import { foreignWord } from './foreign-words.js';
import type { KeyPath } from './key-position.js';
import { nearestName } from './nearest-name.js';
import { recipeSchema } from './schema.js';
import type { YamlDocument } from './yaml-document.js';

type Issue = z.core.$ZodIssue;

/** One key that is wrong: unknown, or with a value that does not satisfy `mustBe`. */
type Fault = { readonly key: KeyPath } & ({ readonly unknown: true } | { readonly unknown: false; readonly mustBe: string; readonly words: readonly string[] });

/** The error for the fault that stands first in the file, since people read from the top; a missing key comes after what is there. */
export function schemaError(issues: readonly Issue[], document: YamlDocument, path: string): TundishError {
  const placed = issues.flatMap((issue) => faultsOf(issue, [])).map((fault) => ({ fault, at: document.locate(fault.key), missing: Number(valueAt(document.value, fault.key) === undefined) }));
  placed.sort((a, b) => a.missing - b.missing || a.at.line - b.at.line || a.at.column - b.at.column);
  const [first] = placed;
  if (first === undefined) return recipeError('RECIPE_VALUE', { what: 'the recipe does not have the expected form', evidence: { path } });
  const more = placed.length > 1 ? { detail: `and ${placed.length - 1} more in this file` } : {};
  const evidence = { path, ...first.at, ...more };
  const { fault } = first;
  if (fault.unknown) return recipeError('RECIPE_UNKNOWN_KEY', { ...unknownKey(fault.key), evidence });
  const name = shownKey(fault.key);
  const value = valueAt(document.value, fault.key);
  if (value === undefined) return recipeError('RECIPE_VALUE', { what: `${name} is missing`, why: `it must be ${fault.mustBe}`, evidence, fix: `write ${name}: ...` });
  const near = typeof value === 'string' ? nearestName(value, fault.words) : undefined;
  return recipeError('RECIPE_VALUE', {
    what: `${name} must be ${fault.mustBe}, not ${shownValue(value)}`,
    evidence,
    fix: near === undefined ? `write ${fault.mustBe}${value === null ? `, or leave ${name} out for its default` : ''}` : `did you mean ${near}?`,
  });
}

function unknownKey(key: KeyPath): { what: string; why: string; fix: string } {
  const word = String(key.at(-1));
  const parent = key.slice(0, -1);
  const what = `unknown key ${printable(word, 60)}${parent.length === 0 ? '' : ` in ${shownKey(parent)}`}`;
  const foreign = foreignWord(word);
  if (foreign !== undefined) return { what, ...foreign };
  const known = knownKeys(parent);
  const near = nearestName(word, known);
  return {
    what,
    why: known.length === 0 ? 'this section has no options' : `the keys here are ${known.join(', ')}`,
    fix: near === undefined ? 'remove it' : `did you mean ${near}?`,
  };
}

function faultsOf(issue: Issue, prefix: KeyPath): Fault[] {
  const key = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((word) => ({ key: [...key, word], unknown: true }));
  if (issue.code === 'invalid_union') return unionFaults(issue.errors.map((branch) => branch.flatMap((inner) => faultsOf(inner, key))), key);
  return [{ key, unknown: false, mustBe: expectation(issue), words: issue.code === 'invalid_value' ? issue.values.filter((value) => typeof value === 'string') : [] }];
}

/** The branch that came furthest is the one that was meant; where none got inside the value, any branch would do. */
function unionFaults(branches: readonly (readonly Fault[])[], key: KeyPath): Fault[] {
  const meant = branches.filter((faults) => faults.every((fault) => fault.key.length > key.length));
  if (meant.length > 0) return meant.flat();
  const open = branches.flat().filter((fault) => !fault.unknown);
  return [{ key, unknown: false, mustBe: open.map((fault) => fault.mustBe).join(' or '), words: open.flatMap((fault) => fault.words) }];
}

function expectation(issue: Issue): string {
  if (issue.code === 'invalid_type') return EXPECTED_TYPES[issue.expected] ?? issue.expected;
  if (issue.code === 'invalid_value') return issue.values.length === 1 ? String(issue.values[0]) : `one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small' && issue.minimum === 1 && issue.origin in SIZED) return `${SIZED[issue.origin] ?? ''} that is not empty`;
  if (issue.code === 'too_small') return `at least ${String(issue.minimum)}`;
  if (issue.code === 'too_big') return `at most ${String(issue.maximum)}`;
  return printable(issue.message);
}

const EXPECTED_TYPES: Readonly<Record<string, string>> = { int: 'a whole number', number: 'a number', string: 'text', boolean: 'true or false', array: 'a list', object: 'a mapping' };
const SIZED: Readonly<Record<string, string>> = { array: 'a list', string: 'text' };

function shownKey(key: KeyPath): string {
  return key.map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${printable(String(part), 60)}`)).join('');
}

function shownValue(value: unknown): string {
  if (value === null || value === '') return 'empty';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'string' && value !== '' ? `the text "${printable(value, 60)}"` : String(value);
}

function valueAt(value: unknown, key: KeyPath): unknown {
  return key.reduce((inner: unknown, part) => (typeof inner === 'object' && inner !== null && Object.hasOwn(inner, part) ? Reflect.get(inner, part) : undefined), value);
}

/** Option names of a section, from the schema itself. */
function knownKeys(section: KeyPath): string[] {
  let schema: z.core.JSONSchema._JSONSchema | undefined = z.toJSONSchema(recipeSchema, { io: 'input' });
  for (const part of section) schema = typeof part === 'number' ? itemOf(schema) : asMapping(schema)?.properties?.[String(part)];
  return Object.keys(asMapping(schema)?.properties ?? {});
}

function itemOf(schema: z.core.JSONSchema._JSONSchema | undefined): z.core.JSONSchema._JSONSchema | undefined {
  const items = typeof schema === 'object' ? schema.items : undefined;
  return Array.isArray(items) ? undefined : items;
}

function asMapping(schema: z.core.JSONSchema._JSONSchema | undefined): z.core.JSONSchema.BaseSchema | undefined {
  if (schema === undefined || typeof schema === 'boolean') return undefined;
  return schema.properties !== undefined ? schema : schema.anyOf?.map(asMapping).find((branch) => branch !== undefined);
}
