/** Canonical JSON: one text for one value, and nothing that JSON would change silently. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, leafDifferences, leavesOf } from '../src/canonical-json.js';

const anyJson = fc.jsonValue({ maxDepth: 4, noUnicodeString: false });

/** The same value with the keys of every object in another order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value).reverse()) copy[key] = reversed(item);
  return copy;
}

describe('canonicalJson', () => {
  it('reads back as the same value', () => {
    fc.assert(fc.property(anyJson, (value) => {
      expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value));
      expect(JSON.parse(canonicalJson(value, 2))).toEqual(JSON.parse(JSON.stringify(value)));
    }));
  });

  it('does not depend on the order of keys', () => {
    fc.assert(fc.property(anyJson, (value) => {
      expect(canonicalJson(reversed(value))).toBe(canonicalJson(value));
    }));
  });

  it('sorts by code units and indents like JSON.stringify', () => {
    expect(canonicalJson({ b: 1, a: [1, { d: [], c: {} }], B: -0 })).toBe('{"B":0,"a":[1,{"c":{},"d":[]}],"b":1}');
    expect(canonicalJson({ a: [1, { c: {} }] }, 2)).toBe(JSON.stringify({ a: [1, { c: {} }] }, undefined, 2));
  });

  it('keeps a __proto__ key as a key', () => {
    const hostile: unknown = JSON.parse('{"__proto__":{"polluted":1},"a":2}');
    expect(canonicalJson(hostile)).toBe('{"__proto__":{"polluted":1},"a":2}');
    expect('polluted' in {}).toBe(false);
  });

  it.each([
    ['undefined', { a: undefined }, 'a'],
    ['NaN', { a: [NaN] }, 'a[0]'],
    ['Infinity', { a: { 'b.c': Infinity } }, 'a["b.c"]'],
    ['bigint', [1n], '[0]'],
    ['a function', { f: () => 1 }, 'f'],
    ['a date', { d: new Date(0) }, 'd'],
    ['a map', { m: new Map() }, 'm'],
    ['a hole', { h: Array(1) }, 'h[0]'],
  ])('refuses %s and says where', (_, value, path) => {
    expect(() => canonicalJson(value)).toThrow(`STORE_JSON_VALUE: no canonical JSON for ${path}`);
    expect(() => leavesOf(value)).toThrow('STORE_JSON_VALUE');
  });

  it('refuses a cycle instead of overflowing the stack', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(() => canonicalJson(cycle)).toThrow('contains itself');
    expect(() => leavesOf(cycle)).toThrow('contains itself');
  });
});

describe('leavesOf', () => {
  it('gives equal leaves to equal values and different leaves to different values', () => {
    fc.assert(fc.property(anyJson, anyJson, (a, b) => {
      const same = canonicalJson(a) === canonicalJson(b);
      expect(leafDifferences(leavesOf(a), leavesOf(b)).length === 0).toBe(same);
    }));
  });

  it('tells a dotted key from a nested one', () => {
    expect([...leavesOf({ 'a.b': 1, a: { b: 2 }, e: [] })]).toEqual([['a.b', '2'], ['["a.b"]', '1'], ['e', '[]']]);
  });

  it('names what changed, appeared and went', () => {
    expect(leafDifferences(leavesOf({ a: 1, b: { c: 'x' } }), leavesOf({ a: 2, d: null }))).toEqual([
      { path: 'a', before: '1', after: '2' },
      { path: 'b.c', before: '"x"', after: undefined },
      { path: 'd', before: undefined, after: 'null' },
    ]);
  });
});
