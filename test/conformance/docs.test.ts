/** The documentation is held against the code: links, paths, commands, flags, error codes, printed numbers. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createNodes } from '@tundish/nx/plugin';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SKIPPED = new Set(['node_modules', 'dist', 'out', 'artifacts', 'build', 'fixtures', '.nx', '.tundish', '.git']);

function filesBelow(folder: string, wanted: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow(path, wanted);
    return wanted.test(entry.name) ? [path] : [];
  });
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const pages = filesBelow('', /\.md$/).filter((path) => path !== 'CHANGELOG.md');
const sources = [...filesBelow('packages', /\.ts$/), ...filesBelow('native', /\.(ts|cpp|h)$/)].filter((path) => !/\/test\/|\/onnx_pb\.ts$/.test(path));

function node(...args: string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
}

/** Anchors of a page as GitHub makes them. */
function anchorsOf(path: string): string[] {
  return [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, title]) => (title as string).toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));
}

describe('pages', () => {
  it('are found, so that the checks below check something', () => {
    expect(pages).toEqual(expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/tour.md', 'docs/errors.md', 'packages/nx/README.md']));
    expect(sources.length).toBeGreaterThan(200);
  });

  it('that are made from code are not stale', () => {
    const { status, stderr } = node('tools/docs.mjs', '--check');
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it.each(pages)('%s links to files and headings that exist', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target as string).filter((target) => !/^[a-z]+:/.test(target));
    const broken = links.filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
      return !existsSync(join(ROOT, target)) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
    });
    expect(broken).toEqual([]);
  });

  it.each(pages)('%s names files of the repository that exist', (page) => {
    const named = [...read(page).matchAll(/`((?:packages|test|tools|native|docs)\/[\w./-]*[\w/])`/g)].map(([, path]) => path as string);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('that the sources refer to exist', () => {
    const named = sources.flatMap((path) => [...read(path).matchAll(/\bdocs\/[a-z][\w/-]*/g)].map(([target]) => ({ path, target })));
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter(({ target }) => !existsSync(join(ROOT, target)) && !existsSync(join(ROOT, `${target}.md`)))).toEqual([]);
  });

  it('tell the numbers of the tour as its script prints them', () => {
    const tour = read('docs/tour.md');
    for (const step of ['checkpoint', 'codes']) {
      const { stdout, stderr } = node('docs/tour.mjs', step);
      expect(stderr).toBe('');
      expect(tour).toContain(`$ node docs/tour.mjs ${step}\n${stdout}`);
    }
  });
});

describe('examples that other tests run', () => {
  it.each([
    ['docs/writing-a-stage.md', 'test/fixtures/stages/prune.ts'],
    ['docs/writing-a-stage.md', 'test/fixtures/stages/threshold.ts'],
    ['docs/programmatic.md', 'docs/build.mjs'],
  ])('%s shows %s as it is', (page, example) => {
    expect(read(page)).toContain(`\n${read(example)}\`\`\``);
  });
});

describe('commands that the pages name', () => {
  const text = pages.map(read).join('\n');
  const named = (pattern: RegExp): string[] => [...new Set([...text.matchAll(pattern)].map(([, name]) => name as string))];

  it('are targets of the model', async () => {
    const [, infer] = createNodes;
    const [[, { projects = {} }] = ['', {}]] = await infer(['models/llama32/project.json'], undefined, { workspaceRoot: ROOT, nxJsonConfiguration: {} });
    const targets = Object.keys(projects['models/llama32']?.targets ?? {});
    const used = named(/nx run (?:llama32|NAME|MODEL):([a-z]+)/g);
    expect(used).toEqual(expect.arrayContaining(['compile', 'generate', 'chat', 'evaluate']));
    expect(used.filter((target) => !targets.includes(target))).toEqual([]);
  });

  it('are generators of the plugin', () => {
    const { generators } = JSON.parse(read('packages/nx/generators.json')) as { generators: object };
    const used = named(/nx g @tundish\/nx:([a-z]+)/g);
    expect(used.sort()).toEqual(['ci', 'init', 'lock', 'model']);
    expect(Object.keys(generators)).toEqual(expect.arrayContaining(used));
  });

  it('are verbs of tundish, with the flags of the README', () => {
    const used = named(/npx tundish ([a-z-]*[a-z])/g);
    expect(used.sort()).toEqual(['accept', 'attach', 'build', 'chat', 'ci-matrix', 'compare', 'doctor', 'evaluate', 'export-dlc', 'export-epcontext', 'fidelity', 'gc', 'generate', 'inspect', 'parity', 'plan', 'replay', 'toolchain', 'verify', 'why']);
    const help = used.map((verb) => node('packages/cli/bin/tundish.js', verb, '--help').stdout).join('\n');
    const flags = [...read('README.md').matchAll(/`(--[a-z-]+)/g)].map(([, flag]) => flag as string).filter((flag) => flag !== '--calibration');
    expect(flags).toEqual(expect.arrayContaining(['--prompt', '--max-tokens', '--top-k', '--seed', '--json', '--chat', '--tolerance']));
    expect(flags.filter((flag) => !help.includes(`${flag} `) && !help.includes(`${flag}\n`))).toEqual([]);
  });

  it('are flags of the generate target', () => {
    const { properties } = JSON.parse(read('packages/nx/schemas/generate.json')) as { properties: object };
    const table = read('README.md').split('| option | meaning |')[1]?.split('\n\n')[0] ?? '';
    const flags = [...table.matchAll(/`--([a-z-]+)/g)].map(([, flag]) => (flag as string).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()));
    expect(flags.length).toBeGreaterThan(6);
    expect(flags.filter((flag) => !Object.hasOwn(properties, flag))).toEqual([]);
  });

  it('are flags of the chat target and of its verb', () => {
    const { properties } = JSON.parse(read('packages/nx/schemas/chat.json')) as { properties: object };
    const help = node('packages/cli/bin/tundish.js', 'chat', '--help').stdout;
    const table = read('docs/chat.md').split('| option | meaning |')[1]?.split('\n\n')[0] ?? '';
    const flags = [...table.matchAll(/`--([a-z-]+)/g)].map(([, flag]) => flag as string);
    const camel = flags.map((flag) => flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()));
    expect(camel.sort()).toEqual(Object.keys(properties).filter((name) => name !== 'model').sort());
    expect(flags.filter((flag) => !help.includes(`--${flag} `))).toEqual([]);
    const commands = [...read('docs/chat.md').matchAll(/^\| `(\/[a-z]+)/gm)].map(([, command]) => command as string);
    expect(commands).toEqual([...help.matchAll(/^(\/[a-z]+)/gm)].map(([, command]) => command));
  });

  it('are options of ci-matrix, and answers of the generator ci', () => {
    const help = node('packages/cli/bin/tundish.js', 'ci-matrix', '--help').stdout;
    const page = read('docs/ci.md');
    const table = page.split('| option | meaning |')[1]?.split('\n\n')[0] ?? '';
    const flags = [...table.matchAll(/^\| `(--[a-z]+)/gm)].map(([, flag]) => flag as string);
    expect(flags.sort()).toEqual([...help.matchAll(/^ {2}(--[a-z]+) </gm)].map(([, flag]) => flag).filter((flag) => flag !== '--workspace').sort());
    const { properties } = JSON.parse(read('packages/nx/schemas/ci.json')) as { properties: object };
    const answers = [...page.matchAll(/--(ci|cache|forkToken|force)\b/g)].map(([, name]) => name as string);
    expect([...new Set(answers)].filter((name) => !Object.hasOwn(properties, name))).toEqual([]);
    expect(new Set(answers).size).toBe(4);
  });

  it('are flags, verbs and metrics of the cache server', () => {
    const page = read('docs/cache-server.md');
    const help = node('packages/cache-server/bin/tundish-cache.js', 'serve', '--help').stdout;
    const table = page.split('| option | default | meaning |')[1]?.split('\n\n')[0] ?? '';
    expect([...table.matchAll(/`(--[a-z-]+)`/g)].map(([, flag]) => flag).sort()).toEqual([...help.matchAll(/^ {2}(--[a-z-]+) </gm)].map(([, flag]) => flag).sort());
    const verbs = node('packages/cache-server/bin/tundish-cache.js', '--help').stdout;
    for (const [, verb] of page.matchAll(/npx tundish-cache ([a-z]+)/g)) expect(verbs).toMatch(new RegExp(`^  ${verb as string} `, 'm'));
    const source = read('packages/cache-server/src/http/metrics.ts');
    expect([...page.matchAll(/tundish_cache_(\w+)/g)].map(([, name]) => name as string).filter((name) => !source.includes(`'${name}'`) && !source.includes(`tundish_cache_${name}'`))).toEqual([]);
  });

  it('are scripts of package.json', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(named(/npm run ([\w:]+)/g).filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

describe('error codes', () => {
  const declarations = sources.filter((path) => /\/errors\.ts$/.test(path)).flatMap((path) => [...read(path).matchAll(/^ {2}([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+): /gm)].map(([, code]) => ({ path, code: code as string })));
  const codes = declarations.map(({ code }) => code);

  it('are declared once', () => {
    expect(codes.length).toBeGreaterThan(150);
    expect(declarations.filter(({ code }, i) => codes.indexOf(code) !== i)).toEqual([]);
  });

  it('on the pages exist', () => {
    const written = pages.flatMap((page) => [...read(page).matchAll(/\b((?:NX|RECIPE|RUNTIME|STAGE|CLI|STORE|HOST|QUANTIZE|CONTAINER|CONFIG|HUB|CACHE|GENIE|QAIRT)_[A-Z_]+[A-Z])\b/g)].map(([, code]) => code as string));
    expect(written).toContain('NX_LOCK_STALE');
    // Variables of Nx itself, not codes of ours.
    const ours = written.filter((name) => !name.startsWith('NX_SELF_HOSTED_'));
    const text = sources.map(read).join('\n');
    expect([...new Set(ours)].filter((name) => !codes.includes(name) && !text.includes(`const ${name}`) && !text.includes(`process.env['${name}']`))).toEqual([]);
  });
});
