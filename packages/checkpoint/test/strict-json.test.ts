import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isJsonObject, parseStrictJson } from '../src/strict-json.js';
import type { JsonFault, JsonValue } from '../src/strict-json.js';

function plain(value: JsonValue): unknown {
  if (isJsonObject(value)) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

function faultOf(text: string): JsonFault {
  const parsed = parseStrictJson(text);
  if ('fault' in parsed) return parsed.fault;
  throw new TypeError(`${text} was accepted`);
}

test('reads everything that JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5, noUnicodeString: false }), fc.constantFrom(0, 2), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      const parsed = parseStrictJson(text);
      expect('value' in parsed && plain(parsed.value)).toEqual(JSON.parse(text));
    }),
  );
});

test('refuses whatever JSON.parse refuses, and accepts nothing more', () => {
  const fragment = fc.constantFrom('{', '}', '[', ']', ',', ':', '"a"', '"', '\\', '1', '-', '.5', '1e9', '01', 'null', 'tru', 'NaN', ' ', '\n', '\t', '"\u0001"', '\\u12');
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 12 }), (parts) => {
      const text = parts.join('');
      let accepted = true;
      try {
        JSON.parse(text);
      } catch {
        accepted = false;
      }
      const parsed = parseStrictJson(text);
      // Two differences are meant: JSON.parse takes the last of two equal keys, and reads 1e901 as infinity.
      if ('fault' in parsed && (parsed.fault.kind === 'duplicate-key' || parsed.fault.message.includes('too large'))) return;
      expect('value' in parsed).toBe(accepted);
    }),
    { numRuns: 3000 },
  );
});

describe('faults carry their place', () => {
  test.each([
    ['{"a": 1,\n  "b": NaN}', 2, 8, /NaN is not JSON/],
    ['[-Infinity]', 1, 2, /-Infinity is not JSON/],
    ['{"a": 1 "b": 2}', 1, 9, /"," or "\}" was expected/],
    ['{"a": 1', 1, 8, /the end/],
    ['1e999', 1, 1, /too large/],
    ['{} x', 1, 4, /after the end/],
  ])('%j', (text, line, column, message) => {
    expect(faultOf(text)).toMatchObject({ kind: 'syntax', line, column, message: expect.stringMatching(message) as string });
  });

  test('duplicate keys name their parents', () => {
    expect(faultOf('{"a": {"x": 1, "x": 2}}')).toMatchObject({ kind: 'duplicate-key', key: 'x', parents: ['a'], column: 16 });
    expect(faultOf('{"a": 1, "\\u0061": 2}')).toMatchObject({ kind: 'duplicate-key', key: 'a' });
  });

  test('nesting without end is refused, not a stack overflow', () => {
    expect(faultOf('['.repeat(200_000)).message).toMatch(/deeper than 64/);
  });
});
