/** One build seen from outside: the processes of an Nx run write one trace and one file of events, and a build without Nx finds what they made. */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKPOINT, NxWorkspace } from './nx-workspace.js';

interface Event { readonly kind: string; readonly level: string; readonly name: string; readonly process: number; readonly at: number }
interface TraceEntry { readonly ph: string; readonly cat?: string; readonly name: string; readonly pid: number; readonly args: { readonly result?: string } }

const UNITS = ['load', 'optimize', 'quantize', 'arcl/ar1-cl64', 'arcl/ar8-cl64', 'transform/ar1-cl64-1of1', 'transform/ar8-cl64-1of1', 'convert/ar1-cl64-1of1', 'convert/ar8-cl64-1of1', 'compile/part1of1', 'package'];
let workspace: NxWorkspace;

beforeAll(async () => {
  workspace = new NxWorkspace({
    'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "parallel": 2, "plugins": ["@tundish/nx/plugin"] }\n',
    'models/tiny/project.json': '{ "name": "tiny" }\n',
    'models/tiny/recipe.yaml': 'checkpoint: ./checkpoint\ngraphs: { ar: [1, 8], cl: [64] }\nquantize: none\nobservers: [./seen.ts]\n',
    'models/tiny/seen.ts': "import { appendFileSync } from 'node:fs';\nexport default ({ kind, level, name }: Record<string, string>): void => { if (level === 'unit' && /finish|hit|fail/.test(kind)) appendFileSync(new URL('./seen.txt', import.meta.url), `${kind} ${name}\\n`); };\n",
  });
  cpSync(CHECKPOINT, join(workspace.root, 'models/tiny/checkpoint'), { recursive: true });
  workspace.linkPackages();
  await workspace.commit();
});
afterAll(() => workspace.remove());

const events = (path: string): Event[] => workspace.read(path).trimEnd().split('\n').map((line) => JSON.parse(line) as Event);
const ended = (all: readonly Event[]): string[] => all.filter(({ kind, level }) => level === 'unit' && kind !== 'start' && kind !== 'progress').map(({ kind, name }) => `${kind} ${name}`).sort();

describe('a run of Nx', () => {
  it('writes one trace and one file of events from many processes, by options of compile', async () => {
    const { code, output } = await workspace.nx(['run', 'tiny:compile', '--trace=build.trace', '--events=build.jsonl', '--max-memory=6GB']);
    expect(code, output).toBe(0);
    expect(output).toMatch(/memory: \d+ MB in tiny.*, limit 6\.0 GB/);
    const all = events('build.jsonl');
    expect(ended(all)).toEqual(UNITS.map((name) => `finish ${name}`).sort());
    expect(new Set(all.map(({ process }) => process)).size).toBe(10);
    const trace = JSON.parse(`${workspace.read('build.trace')}]`) as TraceEntry[];
    expect(trace.filter(({ cat }) => cat === 'unit').map(({ name, args }) => `${args.result} ${name}`).sort()).toEqual(ended(all));
    const [load, last] = ['load', 'package'].map((name) => all.find((event) => event.level === 'unit' && event.kind === 'finish' && event.name === name) as Event) as [Event, Event];
    expect(last.at).toBeGreaterThan(load.at);
    expect(readFileSync(join(workspace.root, 'models/tiny/seen.txt'), 'utf8').trimEnd().split('\n').sort()).toEqual(ended(all));
  });

  it('is found by a build without Nx, unit by unit, and the other way round', async () => {
    const built = await workspace.tundish(['build', 'models/tiny', '--events', 'own.jsonl']);
    expect(built.code, built.output).toBe(0);
    expect(ended(events('own.jsonl'))).toEqual(UNITS.map((name) => `hit ${name}`).sort());
    workspace.write({ 'models/tiny/recipe.yaml': `${workspace.read('models/tiny/recipe.yaml')}optimize: { foldNormGains: true }\n` });
    expect((await workspace.tundish(['build', 'models/tiny'])).output).toMatch(/^total +10 run|^total +9 run/m);
    const { code, output } = await workspace.nx(['run', 'tiny:compile'], { TUNDISH_EVENTS: 'nx.jsonl', NX_DAEMON: 'true' });
    expect(code, output).toBe(0);
    expect(new Set(ended(events('nx.jsonl')).map((end) => end.split(' ')[0]))).toEqual(new Set(['hit']));
  });

  it('whose tasks Nx answers itself has no events, and begins the file anew', async () => {
    const { code, output } = await workspace.nx(['run', 'tiny:compile'], { TUNDISH_EVENTS: 'nx.jsonl', NX_DAEMON: 'true' });
    expect(code, output).toBe(0);
    expect(workspace.read('nx.jsonl')).toBe('');
  });

  it('is refused before any work when it may have too little memory', async () => {
    workspace.write({ 'models/tiny/recipe.yaml': workspace.read('models/tiny/recipe.yaml').replace('true', 'false').replace('cl: [64]', 'cl: [96]') });
    const { code, output } = await workspace.nx(['run', 'tiny:compile'], { TUNDISH_MAX_MEMORY: '100MB' });
    expect(code, output).not.toBe(0);
    expect(output).toContain('PREFLIGHT_MAX_MEMORY');
  });
});
