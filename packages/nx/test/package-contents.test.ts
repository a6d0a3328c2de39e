/** executors.json, generators.json and their schemas, as Nx will look for them in the installed package. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = <T>(path: string): T => JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as T;

interface Entry { readonly implementation?: string; readonly factory?: string; readonly schema: string; readonly description: string }
interface Schema { readonly description: string; readonly properties: Record<string, { readonly description?: string }> }

const entries = [
  ...Object.entries(read<{ executors: Record<string, Entry> }>('executors.json').executors),
  ...Object.entries(read<{ generators: Record<string, Entry> }>('generators.json').generators),
];

describe.each(entries)('%s', (_name, entry) => {
  it('has an implementation that can be required, and a schema that describes every option', () => {
    const path = entry.implementation ?? entry.factory ?? '';
    expect(existsSync(join(ROOT, path))).toBe(true);
    const loaded = createRequire(import.meta.url)(join(ROOT, path)) as { default?: unknown };
    expect(loaded.default).toBeTypeOf('function');
    const schema = read<Schema>(entry.schema);
    expect(schema.description).toBeTruthy();
    for (const [option, { description }] of Object.entries(schema.properties)) expect(description, option).toBeTruthy();
  });
});
