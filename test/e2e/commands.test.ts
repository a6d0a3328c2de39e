/** The commands of the README on one built model: text, figures, exit codes; and what survives an interruption or a lost store. */
import { cpSync, existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKPOINT, NxWorkspace } from './nx-workspace.js';

const RECIPE = 'checkpoint: ./checkpoint\ngraphs: { ar: [1, 128], cl: [512, 1024], parts: 2 }\n';
const CONTAINER = 'models/tiny/artifacts/container';
let workspace: NxWorkspace;

beforeAll(async () => {
  workspace = new NxWorkspace({
    'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "plugins": ["@tundish/nx/plugin"] }\n',
    'models/tiny/project.json': '{ "name": "tiny" }\n',
    'models/tiny/recipe.yaml': RECIPE,
  });
  workspace.linkPackages();
  cpSync(CHECKPOINT, join(workspace.root, 'models/tiny/checkpoint'), { recursive: true });
  await workspace.commit();
});
afterAll(() => workspace.remove());

function scratchFolders(): string[] {
  const store = join(workspace.root, '.tundish/cache');
  return existsSync(store) ? readdirSync(store).filter((name) => /scratch|tmp/i.test(name)).flatMap((name) => readdirSync(join(store, name))) : [];
}

/** The JSON in an output that Nx has written its own lines around. */
function jsonIn<T>(output: string, open: '{' | '['): T {
  const close = open === '{' ? '\n}' : '\n]';
  return JSON.parse(output.slice(output.indexOf(`${open}\n`), output.lastIndexOf(close) + 2)) as T;
}

describe('a build that is interrupted', () => {
  it('ends with the code of Ctrl-C, leaves nothing half made, and goes on from what was finished', async () => {
    const stopped = await workspace.nxInterrupted(['run', 'tiny:compile'], /optimize: run/);
    expect(stopped.code, stopped.output).toBe(130);
    expect(scratchFolders()).toEqual([]);
    expect(existsSync(join(workspace.root, CONTAINER))).toBe(false);
    const before = workspace.runs();
    const finished = await workspace.nx(['run', 'tiny:compile']);
    expect(finished.code, finished.output).toBe(0);
    const ran = workspace.ran(before);
    expect(ran['quantize']).toBe('run');
    expect(ran['load'] ?? 'cached').toBe('cached');
    expect(finished.output).toContain(`container: ${CONTAINER}`);
  });
});

describe('generate', () => {
  const generate = (...args: string[]): ReturnType<NxWorkspace['tundish']> => workspace.tundish(['generate', CONTAINER, '--prompt', 'And God said', '--max-tokens', '16', ...args]);

  it('gives the same text through Nx and without it, with one thread and two', async () => {
    const [one, two, json, nx] = [await generate('--threads', '1'), await generate('--threads', '2'), await generate('--json'), await workspace.nx(['run', 'tiny:generate', '--prompt', 'And God said', '--max-tokens', '16', '--json'])];
    const report = jsonIn<{ text: string; ids: number[]; stats: { stopReason: string } }>(json.output, '{');
    expect(report.ids).toHaveLength(16);
    expect(report.text).toMatch(/^ \w/);
    expect(report.stats.stopReason).toBe('max-tokens');
    expect(one.output.startsWith(report.text)).toBe(true);
    expect(two.output.startsWith(report.text)).toBe(true);
    expect(jsonIn<{ ids: number[] }>(nx.output, '{').ids).toEqual(report.ids);
  });

  it('draws the same text from the same seed and another from another', async () => {
    const draw = async (seed: string): Promise<string> => (await generate('--temperature', '1', '--top-k', '50', '--top-p', '0.95', '--seed', seed)).output.split('\n4 prompt tokens')[0] as string;
    const first = await draw('7');
    expect(await draw('7')).toBe(first);
    expect(await draw('8')).not.toBe(first);
  });

  it('goes on with the larger context where the smaller ends, and says so where the largest does', async () => {
    const long = (words: number): ReturnType<NxWorkspace['tundish']> => workspace.tundish(['generate', CONTAINER, '--prompt', 'and the king '.repeat(words), '--max-tokens', '4', '--json']);
    const grown = jsonIn<{ ids: number[]; stats: { promptTokens: number } }>((await long(230)).output, '{');
    expect(grown.stats.promptTokens).toBeGreaterThan(512);
    expect(grown.ids).toHaveLength(4);
    const refused = await long(800);
    expect(refused.code).toBe(3);
    expect(refused.output).toMatch(/RUNTIME_CAPACITY: the prompt has \d+ tokens and the container holds 1023/);
  });

  it.each([
    [['generate', CONTAINER], 2, 'give a prompt or token ids, one of the two'],
    [['generate', CONTAINER, '--ids', '1,x'], 2, 'It must be a whole number of 0 or more'],
    [['generate', CONTAINER, '--prompt', 'x', '--top-k', '-1'], 2, 'It must be a whole number of 0 or more'],
    [['generate', 'nowhere', '--prompt', 'x'], 3, 'nowhere is not a container'],
    [['frobnicate'], 2, "unknown command 'frobnicate'"],
  ])('%j ends with %i', async (args, code, message) => {
    const { code: found, output } = await workspace.tundish(args);
    expect(output).toContain(message);
    expect(found).toBe(code);
  });
});

describe('evaluate', () => {
  it('measures each artifact from its own files', async () => {
    const { code, output } = await workspace.tundish(['evaluate', 'models/tiny', '--limit', '4', '--json']);
    expect(code, output).toBe(0);
    const results = jsonIn<{ subject: string; positions: number; perplexityRatio: number; kl: { mean: number }; top1Agreement: number }[]>(output, '[');
    expect(results.map(({ subject }) => subject)).toEqual(['load', 'quantize', 'container']);
    const [load, quantize, container] = results;
    expect(load).toMatchObject({ positions: 4 * 511, top1Agreement: 1 });
    expect(load?.kl.mean).toBeLessThan(1e-9);
    for (const quantized of [quantize, container]) {
      expect(quantized?.kl.mean).toBeGreaterThan(0.005);
      expect(quantized?.kl.mean).toBeLessThan(0.04);
      expect(quantized?.perplexityRatio).toBeLessThan(1.06);
    }
  });
});

describe('parity', () => {
  const parity = (...args: string[]): ReturnType<NxWorkspace['tundish']> => workspace.tundish(['parity', 'models/tiny/checkpoint', '--golden', ...args]);

  it('holds against the reference, and not against a tolerance below the errors', async () => {
    const golden = 'models/tiny/checkpoint/golden.safetensors';
    const holds = await parity(golden);
    expect(holds.output).toContain('greedy continuation: 32 of 32 tokens equal\nparity holds');
    expect(holds.code).toBe(0);
    const fails = await parity(golden, '--tolerance', '1e-7', '--json');
    expect(fails.code).toBe(1);
    expect(jsonIn<{ ok: boolean }>(fails.output, '{').ok).toBe(false);
  });

  it('names what a golden file lacks', async () => {
    const { code, output } = await parity('models/tiny/checkpoint/protocol.safetensors');
    expect(output).toContain('CLI_PARITY_TENSOR: the golden file has no I64 tensor input_ids');
    expect(code).toBe(3);
  });
});

describe('a store that is gone', () => {
  it('is filled again by the next command, with the same bytes, although Nx has every manifest', async () => {
    const manifest = readFileSync(join(workspace.root, CONTAINER, 'manifest.json'), 'utf8');
    rmSync(join(workspace.root, '.tundish/cache'), { recursive: true });
    rmSync(join(workspace.root, CONTAINER), { recursive: true });
    const { code, output } = await workspace.nx(['run', 'tiny:compile']);
    expect(code, output).toBe(0);
    expect(output).toMatch(/run again: \d+ steps whose files this store did not have/);
    expect(readFileSync(join(workspace.root, CONTAINER, 'manifest.json'), 'utf8')).toBe(manifest);
  });
});
