/** One JSON text for one value: the form that is hashed, compared and written, so that equal content gives equal bytes. */
import { storeError } from './errors.js';

/** Plain data: what JSON can hold. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Deeper values are cycles or attacks: no recipe, lock or manifest nests a tenth of this. */
const MAX_DEPTH = 200;

/**
 * JSON with keys sorted by UTF-16 code units (the order of RFC 8785) and no insignificant space.
 *
 * @param value plain data: null, booleans, finite numbers, strings, arrays and plain objects
 * @param indent spaces per level; 0 gives one line
 * @throws STORE_JSON_VALUE for undefined, NaN, Infinity, bigint, functions, class instances and cycles
 */
export function canonicalJson(value: unknown, indent: number = 0): string {
  return write(value, '', indent === 0 ? undefined : ' '.repeat(indent), '\n', 0);
}

function write(value: unknown, path: string, indent: string | undefined, newline: string, depth: number): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (depth > MAX_DEPTH) throw refuse(path, `it is nested deeper than ${MAX_DEPTH} levels or contains itself`);
  const inner = indent === undefined ? newline : newline + indent;
  if (Array.isArray(value)) {
    const items = Array.from(value, (item: unknown, i) => write(item, `${path}[${i}]`, indent, inner, depth + 1));
    return wrap('[', items, ']', indent, newline, inner);
  }
  const colon = indent === undefined ? ':' : ': ';
  const members = sortedEntries(value, path).map(([key, item]) => JSON.stringify(key) + colon + write(item, joinPath(path, key), indent, inner, depth + 1));
  return wrap('{', members, '}', indent, newline, inner);
}

function wrap(open: string, items: readonly string[], close: string, indent: string | undefined, newline: string, inner: string): string {
  if (items.length === 0) return open + close;
  return indent === undefined ? open + items.join(',') + close : open + inner + items.join(`,${inner}`) + newline + close;
}

function sortedEntries(value: unknown, path: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null) throw refuse(path, `${typeof value === 'number' ? String(value) : typeof value} is not a JSON value`);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw refuse(path, 'it is an instance of a class, not plain data');
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * The leaves of a value (scalars, empty arrays and empty objects), each as canonical JSON under its dotted path, in canonical order.
 * Keys that are not plain words are quoted (`files["config.json"].sha256`), so different values never give equal leaves.
 *
 * @throws STORE_JSON_VALUE as `canonicalJson`
 */
export function leavesOf(value: unknown): Map<string, string> {
  const leaves = new Map<string, string>();
  collect(value, '', leaves, 0);
  return leaves;
}

function collect(value: unknown, path: string, leaves: Map<string, string>, depth: number): void {
  if (depth > MAX_DEPTH) throw refuse(path, `it is nested deeper than ${MAX_DEPTH} levels or contains itself`);
  const items = Array.isArray(value)
    ? Array.from(value, (item: unknown, i): [string, unknown] => [`${path}[${i}]`, item])
    : typeof value === 'object' && value !== null
      ? sortedEntries(value, path).map(([key, item]): [string, unknown] => [joinPath(path, key), item])
      : [];
  if (items.length === 0) leaves.set(path, canonicalJson(value));
  for (const [itemPath, item] of items) collect(item, itemPath, leaves, depth + 1);
}

/** One leaf that two values do not share; a side without it is undefined. Values are canonical JSON. */
export interface LeafDifference {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** The leaves in which two values differ, sorted by path. */
export function leafDifferences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): LeafDifference[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths
    .map((path) => ({ path, before: before.get(path), after: after.get(path) }))
    .filter((difference) => difference.before !== difference.after);
}

function joinPath(path: string, key: string): string {
  if (!/^[\w@:/-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}

function refuse(path: string, why: string): Error {
  return storeError('STORE_JSON_VALUE', { what: `no canonical JSON for ${path === '' ? 'the value' : path}`, why });
}
