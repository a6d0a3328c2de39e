/** Every YAML file of test/fixtures/bad: refused with a place and in under a second, or read by one documented rule. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TundishError } from '@tundish/diagnostics';
import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../src/parse-recipe.js';
import { parseYaml } from '../src/yaml-document.js';

const FIXTURES = join(import.meta.dirname, '../../../test/fixtures/bad');
const CASES = (JSON.parse(readFileSync(join(FIXTURES, 'cases.json'), 'utf8')) as { path: string; expect: string }[]).filter((one) => one.path.startsWith('yaml/'));

/** What each file gives: an error's code, place and a piece of its message, or the value of a file that is valid YAML. */
const EXPECTED: Readonly<Record<string, { code: string; at: string; says: string } | { value: unknown }>> = {
  'alias-bomb.yaml': { code: 'RECIPE_TOO_LARGE', at: '1:', says: 'aliases are expanded' },
  'map-bomb.yaml': { code: 'RECIPE_TOO_LARGE', at: '', says: 'aliases are expanded' },
  'self-alias.yaml': { code: 'RECIPE_ALIAS', at: '2:6', says: '*a stands inside its own anchor' },
  'merge-key.yaml': { code: 'RECIPE_MERGE_KEY', at: '3:3', says: 'merge key <<' },
  'duplicate-key.yaml': { code: 'RECIPE_DUPLICATE_KEY', at: '4:1', says: 'model is given twice, in line 1 and in line 4' },
  'tab-indent.yaml': { code: 'RECIPE_YAML', at: '2:1', says: 'indent with spaces' },
  'non-utf8.yaml': { code: 'RECIPE_NOT_UTF8', at: '1:8', says: 'not valid UTF-8' },
  'bom-crlf.yaml': { value: { model: 'a', stages: {} } },
  'empty.yaml': { code: 'RECIPE_EMPTY', at: '1:1', says: 'recipe is empty' },
  'only-comment.yaml': { code: 'RECIPE_EMPTY', at: '1:1', says: 'recipe is empty' },
  'scalar.yaml': { code: 'RECIPE_NOT_A_MAPPING', at: '1:1', says: 'must be a mapping' },
  'list.yaml': { code: 'RECIPE_NOT_A_MAPPING', at: '1:1', says: 'must be a mapping, not a list' },
  'two-documents.yaml': { code: 'RECIPE_DOCUMENTS', at: '3:1', says: 'two YAML documents' },
  'js-tag.yaml': { code: 'RECIPE_TAG', at: '1:8', says: '!!js/function' },
  'python-tag.yaml': { code: 'RECIPE_TAG', at: '1:8', says: '!!python/object/apply:os.system' },
  'proto.yaml': { code: 'RECIPE_UNKNOWN_KEY', at: '1:1', says: 'unknown key __proto__' },
  'deep.yaml': { code: 'RECIPE_TOO_DEEP', at: '1:', says: 'nested deeper than 64 levels' },
  'norway.yaml': { value: { bits: 10, name: 'no', version: 1.1, time: '12:30:45', null_name: null } },
  'huge-number.yaml': { code: 'RECIPE_NUMBER', at: '1:7', says: '9007199254740993 is beyond 2^53' },
  'nan.yaml': { code: 'RECIPE_NUMBER', at: '1:8', says: '.nan is not finite' },
  'undefined-alias.yaml': { code: 'RECIPE_ALIAS', at: '1:4', says: '*nowhere has no anchor' },
};

function errorOf(action: () => unknown): TundishError {
  try {
    action();
  } catch (error) {
    if (error instanceof TundishError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Processor time, since the wall clock also counts what other processes do. */
function cpuMilliseconds(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1000;
}

describe('the files of test/fixtures/bad/yaml', () => {
  it('are all covered', () => {
    expect(CASES.map((one) => one.path.slice('yaml/'.length)).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it.each(CASES)('$path: $expect', ({ path, expect: verdict }) => {
    const name = path.slice('yaml/'.length);
    const bytes = readFileSync(join(FIXTURES, path));
    const expected = EXPECTED[name] ?? { value: undefined };
    const started = process.cpuUsage();
    const error = errorOf(() => parseRecipe(bytes, name));
    expect(cpuMilliseconds(started)).toBeLessThan(1000);
    expect(error.message).toMatch(new RegExp(`at: {2}${name}:\\d+:\\d+`));
    if ('value' in expected) {
      expect(verdict).not.toBe('error');
      expect(JSON.parse(JSON.stringify(parseYaml(bytes, name).value))).toEqual(expected.value);
      expect(error.code).toBe('RECIPE_UNKNOWN_KEY');
    } else {
      expect(verdict).not.toBe('ok');
      expect(error.code).toBe(expected.code);
      expect(error.message).toContain(expected.says);
      expect(error.message).toContain(`${name}:${expected.at}`);
    }
  });

  it('pollute nothing', () => {
    const bytes = readFileSync(join(FIXTURES, 'yaml/proto.yaml'));
    const value = parseYaml(bytes, 'proto.yaml').value as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'model']);
    expect('polluted' in {}).toBe(false);
    expect(errorOf(() => parseRecipe(bytes, 'proto.yaml')).evidence.detail).toBe('and 3 more in this file');
  });
});

describe('other hostile text', () => {
  const size = 65_536;
  it.each([
    ['brackets', '['.repeat(size), 'RECIPE_TOO_DEEP'],
    ['dashes', '- '.repeat(size / 2), 'RECIPE_TOO_DEEP'],
    ['question marks', '? '.repeat(size / 2), 'RECIPE_TOO_DEEP'],
    ['braces', '{'.repeat(size), 'RECIPE_TOO_DEEP'],
    ['many keys', Array.from({ length: 3000 }, (_, i) => `k${i}: 1`).join('\n'), 'RECIPE_TOO_LARGE'],
    ['too many bytes', '#'.repeat(size + 1), 'RECIPE_TOO_LARGE'],
    ['empty lines', '\n'.repeat(size), 'RECIPE_EMPTY'],
    ['a YAML 1.1 directive', '%YAML 1.1\n---\ncheckpoint: ./no\n', 'RECIPE_DIRECTIVE'],
    ['a number as a key', 'checkpoint: ./c\n7: x\n', 'RECIPE_KEY'],
    ['a list as a key', '? [a]\n: b\n', 'RECIPE_KEY'],
    ['a float that overflows', 'checkpoint: ./c\nx: 1e400\n', 'RECIPE_NUMBER'],
    ['an open quote', 'checkpoint: "./c\n', 'RECIPE_YAML'],
    ['a tag on the root', '!recipe\ncheckpoint: ./c\n', 'RECIPE_TAG'],
  ])('%s', (_, text, code) => {
    const started = process.cpuUsage();
    const error = errorOf(() => parseRecipe(new TextEncoder().encode(text), 'recipe.yaml'));
    expect(cpuMilliseconds(started)).toBeLessThan(1000);
    expect(error.code).toBe(code);
    expect(error.evidence.line).toBeGreaterThan(0);
  });

  it('takes marks inside text as text', () => {
    const text = 'a: |\n  !x\n  %y\nb: "!z"\nc: 2 %\n';
    expect(parseYaml(new TextEncoder().encode(text), 'r').value).toEqual({ a: '!x\n%y\n', b: '!z', c: '2 %' });
  });

  it('expands a harmless alias', () => {
    expect(parseYaml(new TextEncoder().encode('a: &x [1, 2]\nb: *x\n'), 'r').value).toEqual({ a: [1, 2], b: [1, 2] });
  });

  it('counts line and column of a broken character behind other characters', () => {
    const bytes = Buffer.concat([Buffer.from('a: é\nb: '), Buffer.from([0xe2, 0x82])]);
    expect(errorOf(() => parseYaml(bytes, 'r')).evidence).toMatchObject({ line: 2, column: 4, offset: 9 });
  });
});
