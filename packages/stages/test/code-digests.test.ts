import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { CodeDigests, stageModules } from '../src/lock.js';
import { temporaryFolder } from './workspace.js';

const FILES: Readonly<Record<string, string>> = {
  'stage.js': `import { a } from './a.js';\nexport { b } from '@tundish/lib/inner';\nexport const late = () => import('./late.js');\nconst worker = new URL('./worker.js', import.meta.url);\n`,
  'a.js': `import zip from 'zip';\nimport { join } from 'node:path';\nimport './stage.js';\nexport const a = 1;\n`,
  'late.js': 'export const late = 1;\n',
  'worker.js': 'postMessage(1);\n',
  'other.js': 'export const other = 1;\n',
  'node_modules/zip/package.json': '{ "name": "zip", "version": "1.2.3" }',
  'node_modules/@tundish/lib/package.json': '{ "name": "@tundish/lib", "exports": { "./inner": { "default": "./dist/inner.js" } } }',
  'node_modules/@tundish/lib/dist/inner.js': `export * from './deep.js';\n`,
  'node_modules/@tundish/lib/dist/deep.js': 'export const b = 2;\n',
};

let root: string;
beforeEach(() => {
  root = folderOf(FILES);
});

function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(files)) write(folder, name, text);
  return folder;
}

function write(folder: string, name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

const digestOf = (folder: string): Promise<string> => new CodeDigests(join(folder, 'cache')).digest([pathToFileURL(join(folder, 'stage.js'))]);

describe('the digest of code', () => {
  test.each([
    ['the entry', 'stage.js', '// more\n'],
    ['a module that it imports', 'a.js', '// more\n'],
    ['a module that it imports later', 'late.js', '// more\n'],
    ['the program of its worker', 'worker.js', '// more\n'],
    ['a module of a package of ours', 'node_modules/@tundish/lib/dist/deep.js', '// more\n'],
  ])('changes with %s', async (_what, file, more) => {
    const before = await digestOf(root);
    write(root, file, `${FILES[file] as string}${more}`);
    expect(await digestOf(root)).not.toBe(before);
  });

  test('changes with the version of a package of others, and with a worker that is gone', async () => {
    const before = await digestOf(root);
    write(root, 'node_modules/zip/package.json', '{ "name": "zip", "version": "1.2.4" }');
    const upgraded = await digestOf(root);
    expect(upgraded).not.toBe(before);
    write(root, 'stage.js', (FILES['stage.js'] as string).replace('worker.js', 'gone.js'));
    expect(await digestOf(root)).not.toBe(upgraded);
  });

  test('does not change with its folder, with times, or with a file that nothing imports', async () => {
    const before = await digestOf(root);
    expect(await digestOf(folderOf(FILES))).toBe(before);
    write(root, 'other.js', 'changed');
    utimesSync(join(root, 'a.js'), new Date(0), new Date(0));
    expect(await digestOf(root)).toBe(before);
  });

  test('tells two modules that swapped their contents', async () => {
    const before = await digestOf(root);
    write(root, 'late.js', FILES['worker.js'] as string);
    write(root, 'worker.js', FILES['late.js'] as string);
    expect(await digestOf(root)).not.toBe(before);
  });

  test('finds sources where there is no compiled file', async () => {
    const sources = folderOf(Object.fromEntries(Object.entries(FILES).map(([name, text]) => [/^[a-z]+\.js$/.test(name) && name !== 'worker.js' ? name.replace('.js', '.ts') : name, text])));
    expect(await digestOf(sources)).toBe(await digestOf(root));
    write(sources, 'a.ts', 'changed');
    expect(await digestOf(sources)).not.toBe(await digestOf(root));
  });
});

describe('what is remembered', () => {
  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2100));

  test('spares reading, and never hides a change that restored the times', async () => {
    await settled();
    const remembered = async (): Promise<string> => {
      const digests = new CodeDigests(join(root, 'cache'));
      const digest = await digests.digest([pathToFileURL(join(root, 'stage.js'))]);
      await digests.save();
      return digest;
    };
    const before = await remembered();
    const memo = join(root, 'cache', 'code-digests.json');
    const { mtimeMs } = statSync(memo);
    expect(await remembered()).toBe(before);
    expect(statSync(memo).mtimeMs).toBe(mtimeMs);
    const { atime, mtime } = statSync(join(root, 'a.js'));
    write(root, 'a.js', (FILES['a.js'] as string).replace('a = 1', 'a = 2'));
    utimesSync(join(root, 'a.js'), atime, mtime);
    expect(await remembered()).not.toBe(before);
    writeFileSync(memo, readFileSync(memo, 'utf8').replace(/[0-9a-f]{64}(?=",\[)/, 'a'.repeat(64)));
    write(root, 'a.js', FILES['a.js'] as string);
    expect(await remembered()).toBe(before);
  });
});

describe('code that cannot be followed', () => {
  test.each([
    ['a computed name', 'const name = "./a.js";\n\nexport const a = import(name);\n', { path: expect.stringContaining('a.js') as string, line: 3 }],
    ['no module', 'export const = {{{\n', { path: expect.stringContaining('a.js') as string }],
    ['a package of ours that is not there', "import '@tundish/missing';\n", { path: expect.stringContaining('a.js') as string }],
  ])('%s is an error', async (_what, text, evidence) => {
    write(root, 'a.js', text);
    await expect(digestOf(root)).rejects.toMatchObject({ code: 'STAGE_CODE', evidence });
  });
});

test('every stage has code of its own, and the walk over it follows every import', async () => {
  const adapters = { toolchain: hostToolchain, reference: hostReference };
  const digests = new CodeDigests(temporaryFolder());
  const all = await Promise.all((['load', 'optimize', 'quantize', 'arcl', 'transform', 'convert', 'compile', 'package'] as const).map((stage) => digests.digest(stageModules(stage, 'host', adapters))));
  expect(new Set(all).size).toBe(8);
});
