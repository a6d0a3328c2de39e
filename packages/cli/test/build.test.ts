/** `tundish build` as a process: table, JSON, files for events, limits, exit codes. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseByteCount } from '@tundish/diagnostics';

const repository = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const root = realpathSync(mkdtempSync(join(tmpdir(), 'tundish-build-')));
const RECIPE = 'checkpoint: ./checkpoint\ngraphs: { ar: [1], cl: [32] }\nquantize: none\n';
const model = (path: string): string => join(root, 'models/tiny', path);
const recipe = (text: string): void => writeFileSync(model('recipe.yaml'), text);

beforeAll(() => {
  mkdirSync(model(''), { recursive: true });
  cpSync(repository('test/fixtures/golden/llama-mixed-dtype'), model('checkpoint'), { recursive: true, filter: (path) => !path.includes('golden.') });
  cpSync(repository('test/fixtures/bad/checkpoints/tokenizer-control/tokenizer.json'), model('checkpoint/tokenizer.json'));
  recipe(RECIPE);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function build(options: readonly string[], environment: Readonly<Record<string, string>> = {}): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [repository('packages/cli/bin/tundish.js'), 'build', 'models/tiny', '--threads', '1', ...options], { cwd: root, encoding: 'utf8', env: { ...process.env, ...environment } });
}

describe('tundish build', () => {
  it('refuses before any work what is expected to need more memory than it may', () => {
    const { status, stdout, stderr } = build(['--max-memory', '100MB']);
    expect(stderr).toContain('PREFLIGHT_MAX_MEMORY: load needs about 200 MB of memory, the limit of this build is 100 MB');
    expect([status, stdout]).toEqual([3, '']);
    expect(readdirSync(model('')).sort()).toEqual(['checkpoint', 'recipe.lock.json', 'recipe.yaml']);
  });

  it('is told so by plan beforehand', () => {
    const plan = spawnSync(process.execPath, [repository('packages/cli/bin/tundish.js'), 'plan', 'tiny', '--json'], { cwd: root, encoding: 'utf8', env: { ...process.env, TUNDISH_MAX_MEMORY: '100MB' } });
    const { findings } = JSON.parse(plan.stdout) as { readonly findings: readonly { readonly severity: string; readonly code: string }[] };
    expect(findings.map(({ severity, code }) => `${severity} ${code}`)).toContain('error PREFLIGHT_MAX_MEMORY');
  });

  it('builds, prints the table of an Nx run, and writes the files that options and environment ask for', () => {
    const { status, stdout, stderr } = build(['--trace', 'out/build.trace', '--max-memory', '6GB'], { TUNDISH_EVENTS: 'build.jsonl' });
    expect([status, stderr]).toEqual([0, '']);
    const [header, , load] = stdout.split('\n');
    expect(header).toMatch(/^stage +result +time +written$/);
    expect(load).toMatch(/^load +run +[\d.]+ s +[\d.]+ kB$/);
    expect(stdout).toMatch(/^total +8 run, 0 cached /m);
    expect(stdout).toMatch(/^memory: \d+ MB in tiny(\/\w+)?:\w+, limit 6\.0 GB$/m);
    expect(stdout).toMatch(/^container: models\/tiny\/artifacts\/container \(.+, 1\d files\)$/m);
    expect(readdirSync(model('artifacts/container'))).toContain('manifest.json');
    const trace = JSON.parse(readFileSync(join(root, 'out/build.trace'), 'utf8')) as readonly { readonly ph: string; readonly name: string }[];
    expect(trace.filter(({ ph, name }) => ph === 'X' && name.startsWith('compile')).map(({ name }) => name)).toEqual(['compile/part1of1', 'compile']);
    const kinds = readFileSync(join(root, 'build.jsonl'), 'utf8').trimEnd().split('\n').map((line) => (JSON.parse(line) as { readonly kind: string }).kind);
    expect(new Set(kinds)).toEqual(new Set(['start', 'progress', 'finish']));
  });

  it('finds everything the second time, and says so as JSON; events go to stderr alone when asked', () => {
    const { status, stdout, stderr } = build(['--json', '--events', '-']);
    expect(status).toBe(0);
    const { units, container, maxMemory } = JSON.parse(stdout) as { readonly units: readonly { readonly stage: string; readonly status: string; readonly cpuSeconds: number; readonly peakRssBytes: number }[]; readonly container: { readonly folder: string }; readonly maxMemory: null };
    expect(units.map((unit) => `${unit.stage} ${unit.status}`)).toEqual(['load', 'optimize', 'quantize', 'arcl', 'transform', 'convert', 'compile', 'package'].map((stage) => `${stage} cached`));
    expect(units.every(({ cpuSeconds, peakRssBytes }) => cpuSeconds >= 0 && peakRssBytes > 10e6)).toBe(true);
    expect([container.folder, maxMemory]).toEqual(['models/tiny/artifacts/container', null]);
    const lines = stderr.trimEnd().split('\n').map((line) => JSON.parse(line) as { readonly kind: string });
    expect(lines.filter(({ kind }) => kind === 'hit')).toHaveLength(16);
  });

  it('writes a lock that the recipe left behind, unless it is frozen', () => {
    const before = readFileSync(model('recipe.lock.json'), 'utf8');
    recipe(`${RECIPE}generation: { maxTokens: 9 }\n`);
    const frozen = build(['--frozen-lock']);
    expect([frozen.status, frozen.stderr.split(':')[0]]).toEqual([3, 'CLI_LOCK_STALE']);
    expect(readFileSync(model('recipe.lock.json'), 'utf8')).toBe(before);
    expect(build([]).status).toBe(0);
    expect(readFileSync(model('recipe.lock.json'), 'utf8')).toBe(before.replace('"maxTokens": 256', '"maxTokens": 9'));
  });

  it('refuses a limit that is no size', () => {
    expect(build(['--max-memory', 'much'])).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('CLI_USAGE: much is no amount of memory') });
  });
});

describe('sizes', () => {
  it.each([['6GB', 6e9], ['1.5 GiB', 1.5 * 2 ** 30], ['512mib', 512 * 2 ** 20], ['1000B', 1000], ['6', 6], ['0MB', 0]])('%s', (text, bytes) => expect(parseByteCount(text)).toBe(bytes));
  it.each(['', 'GB', '-1GB', '1e3MB', '6 parsecs', '99999999TB', 'Infinity MB'])('%j is none', (text) => expect(parseByteCount(text)).toBeUndefined());
});
