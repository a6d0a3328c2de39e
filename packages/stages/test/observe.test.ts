/** What observers are told: of real builds, in this process and in others that are killed. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { recordingReporter } from '@tundish/diagnostics';
import { beforeAll, describe, expect, test } from 'vitest';
import { type BuildEvent, type Observer, type PipelineRequest, buildModel, eventFile, runStage, traceFile } from '../src/index.js';
import { AppendFile } from '../src/observe/append-file.js';
import { QUANTIZED_RECIPE, Workspace, temporaryFolder } from './workspace.js';

function recorder(): Observer & { readonly events: BuildEvent[] } {
  const events: BuildEvent[] = [];
  return { name: 'recorder', events, on: (event) => void events.push(event) };
}

async function build(workspace: Workspace, change: Partial<PipelineRequest> = {}): Promise<void> {
  await workspace.lock();
  await buildModel(workspace.request(change));
}

/** The last event of every span, as `level name kind`. */
function ends(events: readonly BuildEvent[]): string[] {
  return events.filter(({ kind }) => kind !== 'start' && kind !== 'progress').map(({ level, name, kind }) => `${level} ${name} ${kind}`);
}

interface TraceEntry {
  readonly ph: string;
  readonly cat?: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly pid: number;
  readonly tid: number;
  readonly args: Readonly<Record<string, unknown>>;
}

const ONE_CELL = QUANTIZED_RECIPE.replace('ar: [1, 8], cl: [32], parts: 2', 'ar: [1], cl: [32]');
const FLOAT_CELL = 'checkpoint: ./checkpoint\ngraphs: { ar: [1], cl: [32] }\nquantize: none\n';
const STAGES = ['load', 'optimize', 'quantize', 'arcl', 'transform', 'convert', 'compile', 'package'];

describe('one build', () => {
  const workspace = Workspace.make(ONE_CELL);
  const files = { events: workspace.path('run.jsonl'), trace: workspace.path('deep/er/run.trace') };
  const { events, ...observer } = recorder();
  const startedAt = Date.now();
  let seconds = 0;
  beforeAll(async () => {
    await build(workspace, { startedAt, observers: [observer, eventFile(files.events), traceFile(files.trace, { last: true })] });
    seconds = (Date.now() - startedAt) / 1000;
  });

  test('tells of every stage, unit and block: start, progress, and how it ended', () => {
    expect(ends(events)).toEqual([
      'unit load finish', 'stage load finish', 'unit optimize finish', 'stage optimize finish',
      'piece quantize/embedding finish', 'piece quantize/block-0 finish', 'piece quantize/block-1 finish', 'piece quantize/lm_head finish', 'unit quantize finish', 'stage quantize finish',
      'unit arcl/ar1-cl32 finish', 'stage arcl finish', 'unit transform/ar1-cl32-1of1 finish', 'stage transform finish', 'unit convert/ar1-cl32-1of1 finish', 'stage convert finish',
      'unit compile/part1of1 finish', 'stage compile finish', 'unit package finish', 'stage package finish',
    ]);
    const starts = events.filter(({ kind }) => kind === 'start').map(({ level, name }) => `${level} ${name}`);
    expect([...starts].sort()).toEqual(ends(events).map((end) => end.replace(/ \w+$/, '')).sort());
    expect(events.find(({ progress }) => progress?.label === 'blocks' && progress.done === progress.total)).toMatchObject({ kind: 'progress', level: 'unit', name: 'quantize' });
    for (const event of events) expect(event).toMatchObject({ schema: 1, model: 'tiny', process: process.pid });
  });

  test('tells time, memory and bytes as the system counts them', () => {
    expect([...events].sort((a, b) => a.at - b.at)).toEqual(events);
    expect(events.at(-1)?.at).toBeLessThan(seconds + 0.1);
    const { usage } = events.find(({ level, name, kind }) => level === 'unit' && name === 'quantize' && kind === 'finish') as BuildEvent;
    const pieces = events.filter(({ level, kind }) => level === 'piece' && kind === 'finish');
    expect(usage.wallSeconds).toBeGreaterThan(pieces.reduce((total, piece) => total + piece.usage.wallSeconds, 0));
    expect(usage.cpuSeconds).toBeGreaterThan(0);
    expect(usage.peakRssBytes).toBeGreaterThanOrEqual(usage.rssBytes);
    expect(usage.bytes.accounting).toBe(process.platform === 'linux' ? 'system' : 'own');
    if (usage.bytes.accounting === 'system') expect(usage.bytes.read).toBeGreaterThan(0);
    expect(usage.bytes.written).toBeGreaterThan(1000);
  });

  test('writes one JSON value a line, and a trace whose spans lie inside each other', () => {
    const lines = readFileSync(files.events, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as BuildEvent);
    expect(lines).toEqual(events);
    const entries = JSON.parse(readFileSync(files.trace, 'utf8')) as TraceEntry[];
    const spans = entries.filter(({ ph }) => ph === 'X');
    expect(spans).toHaveLength(ends(events).length);
    expect(entries.filter(({ ph }) => ph === 'C')).toHaveLength(events.length);
    const [unit, stage, block] = ['unit quantize', 'stage quantize', 'piece quantize/block-1'].map((span) => spans.find(({ cat, name }) => `${cat} ${name}` === span)) as [TraceEntry, TraceEntry, TraceEntry];
    expect(block.tid).toBe(unit.tid);
    expect(stage.tid).not.toBe(unit.tid);
    expect(block.ts).toBeGreaterThanOrEqual(unit.ts);
    expect(block.ts + block.dur).toBeLessThanOrEqual(unit.ts + unit.dur + 1);
    expect(unit.args).toMatchObject({ model: 'tiny', result: 'finish', bytes: expect.anything() });
  });

  test('done again tells of hits and of nothing below them', async () => {
    const again = recorder();
    await build(workspace, { observers: [again] });
    expect(ends(again.events).filter((end) => !end.endsWith(' hit'))).toEqual([]);
    expect(again.events.filter(({ kind }) => kind === 'hit').every(({ source }) => source === 'local')).toBe(true);
    expect(again.events.some(({ level }) => level === 'piece')).toBe(false);
  });
});

test('a failure is told with its code', async () => {
  const workspace = Workspace.make(ONE_CELL.replace('windows: 2', 'windows: 2000'));
  const { events, ...observer } = recorder();
  await expect(build(workspace, { observers: [observer] })).rejects.toMatchObject({ code: 'STAGE_REQUIRES' });
  expect(events.filter(({ kind }) => kind === 'fail').map(({ level, name, error }) => [level, name, error?.code])).toEqual([['unit', 'quantize', 'STAGE_REQUIRES'], ['stage', 'quantize', 'STAGE_REQUIRES']]);
});

describe('files', () => {
  test('of a killed process are whole up to the last event', async () => {
    const workspace = Workspace.make(ONE_CELL);
    await workspace.lock();
    const [events, trace] = [workspace.path('run.jsonl'), workspace.path('run.trace')];
    const run = promisify(execFile)(process.execPath, [join(import.meta.dirname, 'observed-process.mjs'), workspace.root, workspace.model, workspace.cacheRoot, events, trace]);
    await expect(run).rejects.toMatchObject({ signal: 'SIGKILL' });
    const lines = readFileSync(events, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as BuildEvent);
    expect(lines.at(-1)).toMatchObject({ kind: 'finish', name: 'quantize/block-0' });
    const entries = JSON.parse(`${readFileSync(trace, 'utf8')}]`) as TraceEntry[];
    expect(entries.at(-1)).toMatchObject({ ph: 'X', name: 'quantize/block-0' });
  });

  test('take whole lines of several processes at once', async () => {
    const path = join(temporaryFolder(), 'lines.jsonl');
    const writer = `const { AppendFile } = await import(${JSON.stringify(new URL('../dist/observe/append-file.js', import.meta.url).href)});
      const file = new AppendFile(${JSON.stringify(path)}, 'head\\n');
      for (let i = 0; i < 500; i += 1) file.append(JSON.stringify({ who: process.pid, i, text: 'x'.repeat(700) }) + '\\n');`;
    await Promise.all([1, 2, 3].map(() => promisify(execFile)(process.execPath, ['--input-type=module', '-e', writer])));
    const [head, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(head).toBe('head');
    expect(lines).toHaveLength(1500);
    expect(new Set(lines.map((line) => (JSON.parse(line) as { who: number }).who)).size).toBe(3);
  });

  test('that cannot be written are an error before the build', () => {
    const folder = temporaryFolder();
    expect(() => new AppendFile(folder, '')).toThrow(/^STORE_/);
  });
});

describe('observers of the recipe', () => {
  const observed = (name: string): string => `${FLOAT_CELL}observers: [${name}]\n`;
  const TYPESCRIPT = `import { appendFileSync } from 'node:fs';
import { name } from './name.ts';
interface Event { readonly level: string; readonly name: string }
export const observer = {
  finish: async (event: Event): Promise<void> => { if (event.level === 'stage') appendFileSync(new URL('./seen.txt', import.meta.url), \`\${name} \${event.name}\\n\`); },
  close: () => appendFileSync(new URL('./seen.txt', import.meta.url), 'closed\\n'),
};
`;

  test('are TypeScript with imports, and change no key', async () => {
    const workspace = Workspace.make(FLOAT_CELL);
    await build(workspace);
    const before = workspace.manifests();
    workspace.write('recipe.yaml', observed('./mine.ts'));
    workspace.write('mine.ts', TYPESCRIPT.replace('finish:', 'hit:'));
    workspace.write('name.ts', 'export const name: string = "saw";\n');
    const { warnings, ...reporter } = recordingReporter();
    await build(workspace, { reporter });
    expect(warnings).toEqual([]);
    expect(readFileSync(workspace.path('seen.txt'), 'utf8')).toBe(`${STAGES.map((stage) => `saw ${stage}\n`).join('')}closed\n`);
    expect(workspace.manifests()).toEqual(before);
  });

  test.each([
    ['./absent.ts', undefined, /absent\.ts of the recipe cannot be used/],
    ['./mine.ts', 'export const other = 1;\n', /exports neither `observer` nor a default/],
    ['./mine.ts', 'export default { begin() {} };\n', /its begin is not one of the functions start, progress, finish, hit, fail, close/],
    ['./mine.mjs', 'export default () => { throw new Error("no\\u001b[2J"); };\n', /^observer \.\/mine\.mjs failed and is not told more: no\\u001b\[2J$/],
    ['./mine.mjs', 'export const observer = { finish: async () => { throw new Error("later"); }, start: async () => { throw new Error("later"); } };\n', /failed and is not told more: later$/],
  ])('%s that is wrong is one warning, and the build goes on', async (name, text, warning) => {
    const workspace = Workspace.make(observed(name));
    if (text !== undefined) writeFileSync(workspace.path(name), text);
    const { warnings, ...reporter } = recordingReporter();
    await workspace.lock();
    await runStage({ ...workspace.request({ reporter }), stage: 'load' });
    expect(warnings.filter((line) => line.startsWith('observer'))).toEqual([expect.stringMatching(warning)]);
  });
});
