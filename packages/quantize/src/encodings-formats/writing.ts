/** What the writers of all versions share: the file as pieces of text, and refusals. At real sizes the whole is too long for one string. */
import { type JsonObject, type JsonValue, isJsonObject } from '@tundish/checkpoint';
import { type TundishError, printable } from '@tundish/diagnostics';
import { quantizeError } from '../errors.js';
import type { EncodingsDocument, EncodingsEntry, EncodingsVersion } from './document.js';
import { type NestedNumbers, type Numbers, listText } from './list-text.js';

/** Fields of 0.6.1 and 1.0.0 that describe how their two tables were made. */
const TWO_TABLE_FIELDS: ReadonlySet<string> = new Set(['quantizer_args', 'excluded_layers']);
/** They follow from scale and offset; every other field of an entry might mean something. */
const DERIVED_FIELDS: ReadonlySet<string> = new Set(['min', 'max']);

/** The fields of a file sorted by name, tables one entry a line. */
export function* writeFields(version: EncodingsVersion, tables: ReadonlyMap<string, Generator<string>>, extra: JsonObject): Generator<string> {
  const names = [...tables.keys(), ...extra.keys(), 'version'].sort();
  for (const [i, name] of names.entries()) {
    const table = tables.get(name);
    yield `${i === 0 ? '{' : ','}${JSON.stringify(name)}:`;
    if (table !== undefined) yield* table;
    else yield jsonText(name === 'version' ? version : (extra.get(name) as JsonValue));
  }
  yield '}\n';
}

/** `[`, one text a line, `]`. */
export function* writeTable<T>(items: readonly T[], text: (item: T) => string, [open, close]: readonly [string, string] = ['[', ']']): Generator<string> {
  yield `${open}\n`;
  for (const [i, item] of items.entries()) yield `${text(item)}${i + 1 < items.length ? ',' : ''}\n`;
  yield close;
}

/** JSON without spaces of the fields of an entry, whose lists may be {@link Numbers} and {@link NestedNumbers}. */
export function fieldsText(fields: object): string {
  return `{${Object.entries(fields).map(([field, value]) => `${JSON.stringify(field)}:${valueText(value)}`).join(',')}}`;
}

function valueText(value: unknown): string {
  if (isNumbers(value)) return listText({ shape: [value.length], values: value });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON.stringify(value);
  return isNestedNumbers(value) ? listText(value) : fieldsText(value);
}

function isNumbers(value: unknown): value is Numbers {
  return ArrayBuffer.isView(value);
}

function isNestedNumbers(value: object): value is NestedNumbers {
  return 'values' in value && isNumbers(value.values);
}

/** JSON without spaces of what a reader kept. A replacer of JSON.stringify would be called for every number of a list. */
function jsonText(value: JsonValue): string {
  return JSON.stringify(plain(value));
}

/** Objects in place of Maps. */
function plain(value: JsonValue): unknown {
  if (isJsonObject(value)) return Object.fromEntries([...value].map(([field, inner]) => [field, plain(inner)]));
  return Array.isArray(value) ? (value as readonly JsonValue[]).map(plain) : value;
}

/** What of the file's own fields goes into a file of another version. */
export function extraFor({ version, extra }: EncodingsDocument, target: EncodingsVersion): JsonObject {
  if (target === version || target === '0.6.1' || target === '1.0.0') return extra;
  return new Map([...extra].filter(([field]) => !TWO_TABLE_FIELDS.has(field)));
}

/** Unknown fields of an entry: written where they come from, refused elsewhere. @throws ENCODINGS_NOT_EXPRESSIBLE */
export function entryExtra({ version }: EncodingsDocument, entry: EncodingsEntry, target: EncodingsVersion): object {
  if (version === target) return plain(entry.extra) as object;
  const unknown = [...entry.extra.keys()].find((field) => !DERIVED_FIELDS.has(field));
  if (unknown !== undefined) throw notExpressible(entry, target, `has the field ${printable(unknown)}, whose meaning there is not known`);
  return {};
}

/** The entries of one of two tables. @throws ENCODINGS_NOT_EXPRESSIBLE when a role is not known */
export function entriesOfRole(document: EncodingsDocument, role: EncodingsEntry['role'], target: EncodingsVersion): readonly EncodingsEntry[] {
  const unknown = document.entries.find((entry) => entry.role === undefined);
  if (unknown !== undefined) throw notExpressible(unknown, target, 'may be an activation or a parameter, and each has a table of its own', 'read the file together with its graph');
  return document.entries.filter((entry) => entry.role === role);
}

/** @returns an ENCODINGS_NOT_EXPRESSIBLE */
export function notExpressible({ name }: EncodingsEntry, target: EncodingsVersion, why: string, fix?: string): TundishError {
  return quantizeError('ENCODINGS_NOT_EXPRESSIBLE', { what: `${printable(name)} cannot be written as ${target}`, why: `it ${why}`, ...(fix === undefined ? {} : { fix }) });
}
