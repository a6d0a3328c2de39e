/** Forms of parsed JSON: every fault is found where it is, and a value of the form has none. */
import { describe, expect, it } from 'vitest';
import { byteCount, digest, faultsOf, fields, filledText, finite, listOf, mappingOf, nullable, text } from '../src/form.js';

const item = fields({ name: filledText, size: byteCount }, { note: text }, 'refused');
const form = fields({ items: listOf(item), digests: mappingOf(digest), tool: nullable(text) }, { seconds: finite }, 'ignored');
const VALUE = { items: [{ name: 'a', size: 1 }], digests: { 'x.y': 'a'.repeat(64) }, tool: null };

describe('a form', () => {
  it.each([
    ['with nothing optional', VALUE],
    ['with what is optional', { ...VALUE, items: [{ name: 'a', size: 0, note: '' }], seconds: 0.5 }],
    ['with a field that is passed over', { ...VALUE, later: true }],
  ])('accepts a value %s', (_, value) => expect(faultsOf(value, form)).toEqual([]));

  it.each([
    ['no mapping', null, ': must be a mapping'],
    ['a list for a mapping', { ...VALUE, digests: [] }, 'digests: must be a mapping'],
    ['a mapping for a list', { ...VALUE, items: {} }, 'items: must be a list'],
    ['a missing field', { ...VALUE, items: [{ name: 'a' }] }, 'items.0.size: must be a number of bytes'],
    ['an empty text', { ...VALUE, items: [{ name: '', size: 1 }] }, 'items.0.name: must be text that is not empty'],
    ['a broken size', { ...VALUE, items: [{ name: 'a', size: 1.5 }] }, 'items.0.size: must be a number of bytes'],
    ['an unknown field', { ...VALUE, items: [{ name: 'a', size: 1, more: 1 }] }, 'items.0.more: is unknown'],
    ['an inherited name', { ...VALUE, items: [JSON.parse('{"name":"a","size":1,"__proto__":1}')] }, 'items.0.__proto__: is unknown'],
    ['a digest in capitals', { ...VALUE, digests: { a: 'A'.repeat(64) } }, 'digests.a: must be 64 lower-case hexadecimal digits'],
    ['another type', { ...VALUE, tool: 7 }, 'tool: must be text'],
    ['an optional field of another type', { ...VALUE, seconds: '1' }, 'seconds: must be a number'],
  ])('finds %s', (_, value, fault) => expect(faultsOf(value, form)).toEqual([fault]));

  it('names five faults at most', () => {
    expect(faultsOf(Array.from({ length: 9 }, () => 1), listOf(text))).toHaveLength(5);
  });
});
