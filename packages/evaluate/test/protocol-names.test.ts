/** The names of the protocols stand in several places, which must not drift apart. */
import { readFileSync } from 'node:fs';
import { EVALUATION_PROTOCOLS } from '@tundish/recipe';
import { expect, it } from 'vitest';
import { PROTOCOLS } from '../src/index.js';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

it('are the same in recipes, in the options of the targets, in the help and in the documentation', () => {
  const names = Object.keys(PROTOCOLS);
  expect(EVALUATION_PROTOCOLS).toEqual(names);
  for (const target of ['evaluate', 'compare']) {
    const { properties } = JSON.parse(read(`packages/nx/schemas/${target}.json`)) as { properties: { protocol: { enum: string[] } } };
    expect(properties.protocol.enum).toEqual(names);
  }
  expect(read('packages/cli/src/measure-verbs.ts')).toContain(names.join(', '));
  expect([...read('docs/evaluation.md').matchAll(/^\| `([\w-]+)`(?: \(default\))? \| (?:[^|]+ \| ){3}/gm)].map(([, name]) => name)).toEqual(names);
});
