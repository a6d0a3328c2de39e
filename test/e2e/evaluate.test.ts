/** evaluate and compare on one built model: artifacts, blocks, protocols, earlier results, multiple choice, recipes, through Nx and without it. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKPOINT, NxWorkspace } from './nx-workspace.js';

let workspace: NxWorkspace;

beforeAll(async () => {
  workspace = new NxWorkspace({
    'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "plugins": ["@tundish/nx/plugin"] }\n',
    'models/tiny/project.json': '{ "name": "tiny" }\n',
    'models/tiny/recipe.yaml': 'checkpoint: ./checkpoint\ngraphs: { ar: [1, 128], cl: [512, 1024], parts: 2 }\n',
  });
  workspace.linkPackages();
  cpSync(CHECKPOINT, join(workspace.root, 'models/tiny/checkpoint'), { recursive: true });
  await workspace.commit();
  const built = await workspace.tundish(['build', 'models/tiny']);
  expect(built.code, built.output).toBe(0);
});
afterAll(() => workspace.remove());

/** The JSON in an output that Nx has written its own lines around. */
function jsonIn<T>(output: string): T {
  return JSON.parse(output.slice(output.indexOf('[\n'), output.lastIndexOf('\n]') + 2)) as T;
}

describe('evaluate', () => {
  it('measures each artifact from its own files', async () => {
    const { code, output } = await workspace.tundish(['evaluate', 'models/tiny', '--limit', '4', '--json']);
    expect(code, output).toBe(0);
    const results = jsonIn<{ subject: string; positions: number; perplexityRatio: number; kl: { mean: number }; top1Agreement: number }[]>(output);
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

  it('tells the blocks apart, the same through Nx and without it', async () => {
    const alone = await workspace.tundish(['evaluate', 'models/tiny', '--blocks']);
    expect(alone.code, alone.output).toBe(0);
    expect(alone.output).toMatch(/^block +weights stream [^]*\nembedding [^]*\nlogits [^]*\nSQNR in dB over 1 window of 512 tokens/m);
    const nx = await workspace.nx(['run', 'tiny:evaluate', '--blocks', '--json']);
    expect(nx.code, nx.output).toBe(0);
    const rows = jsonIn<{ block: string; artifacts: Record<string, { stream: number }> }[]>(nx.output);
    expect(rows.map(({ block }) => block)).toEqual(['embedding', '0', '1', '2', '3', 'logits']);
    for (const { block, artifacts } of rows) {
      const line = alone.output.split('\n').find((text) => text.startsWith(`${block} `)) ?? '';
      for (const artifact of ['weights', 'full']) expect(line).toContain(` ${artifacts[artifact]?.stream.toFixed(1)}`);
    }
  });

  it('scores by another protocol, and holds results against earlier ones of the same protocol only', async () => {
    const evaluate = (...args: string[]): ReturnType<NxWorkspace['tundish']> => workspace.tundish(['evaluate', 'models/tiny', '--limit', '2', '--json', ...args]);
    const first = await evaluate('--protocol', 'llamacpp-512');
    expect(first.code, first.output).toBe(0);
    const earlier = jsonIn<{ positions: number; protocol: { name: string; windows: number } }[]>(first.output);
    expect(earlier.map(({ positions, protocol }) => [positions, protocol.name, protocol.windows])).toEqual(Array(3).fill([2 * 255, 'llamacpp-512', 2]));
    writeFileSync(join(workspace.root, 'earlier.json'), JSON.stringify(earlier));
    const again = await workspace.nx(['run', 'tiny:evaluate', '--limit=2', '--json', '--protocol=llamacpp-512', '--against=earlier.json']);
    expect(again.code, again.output).toBe(0);
    const compared = jsonIn<{ subject: string; against: object }[]>(again.output);
    for (const { subject, against } of compared) expect(against).toMatchObject({ subject, against: subject, perplexityRatio: 1, deltaNll: { mean: 0, standardError: 0 }, deltaKl: { mean: 0, standardError: 0 }, deltaTop1: 0 });
    const refused = await evaluate('--against', 'earlier.json');
    expect(refused.output).toMatch(/EVALUATE_PROTOCOL_MISMATCH: this evaluation under mini and load under llamacpp-512 cannot be compared\n {2}why: bosPolicy: "window" and "overwrite"; [^\n]*scored\.first: 1 and 257; stride: 511 and 512/);
    expect(refused.code).toBe(3);
  });

  it('refuses windows that the container does not hold before it measures', async () => {
    const { code, output } = await workspace.tundish(['evaluate', 'models/tiny', '--protocol', 'gptq-2048']);
    expect(output).toMatch(/CLI_EVALUATE_CONTEXT: windows of 2048 tokens do not fit\n {2}why: the container's largest context has 1024/);
    expect(code).toBe(3);
  });

  it('asks multiple-choice questions', async () => {
    const question = (text: string, answer: string): string => `${text},Moses,Macbeth,Jonah,Ruth,${answer}\n`;
    writeFileSync(join(workspace.root, 'lore_test.csv'), question('Who killed Duncan?', 'B') + question('"Who, of these, was in a fish?"', 'C') + question('Who married Boaz?', 'D'));
    writeFileSync(join(workspace.root, 'lore_dev.csv'), question('Who led Israel?', 'A'));
    const { code, output } = await workspace.tundish(['evaluate', 'models/tiny', '--choices', 'lore_test.csv', '--examples', 'lore_dev.csv', '--shots', '1', '--json']);
    expect(code, output).toBe(0);
    const [load, quantize] = jsonIn<{ subject: string; questions: number; flips: number; kl: number; answers: string; protocol: { leadingSpace: boolean } }[]>(output);
    expect(load).toMatchObject({ subject: 'load', questions: 3, flips: 0, agreement: 1, shortened: 0, protocol: { leadingSpace: true, shots: 1 } });
    expect(load?.kl).toBeLessThan(1e-9);
    expect(quantize?.kl).toBeGreaterThan(1e-6);
    expect(quantize?.answers).toMatch(/^[A-D]{3}$/);
  });

  it('compares recipes with the model that is built, the same through Nx and without it, and leaves that model alone', async () => {
    const own = (): Map<string, string> => new Map(['recipe.yaml', 'recipe.lock.json', 'out/quantize/stage.json', 'artifacts/container/manifest.json'].map((file) => [file, workspace.read(`models/tiny/${file}`)]));
    const before = own();
    const nx = await workspace.nx(['run', 'tiny:compare', '--recipes=minmax,fast,lpbq_gptaq', '--limit=2', '--json']);
    expect(nx.code, nx.output).toBe(0);
    const results = jsonIn<{ subject: string; status: string; kl: { mean: number } }[]>(nx.output);
    expect(results.map(({ subject, status }) => `${subject} ${status}`)).toEqual(['minmax run', 'fast run', 'lpbq_gptaq cached']);
    const [minmax, fast, solved] = results;
    expect(fast?.kl.mean).toBeLessThan(minmax?.kl.mean ?? NaN);
    expect(solved?.kl.mean).toBeLessThan(0.5 * (minmax?.kl.mean ?? NaN));
    const again = await workspace.tundish(['compare', 'models/tiny', '--recipes', 'minmax,fast,lpbq_gptaq', '--limit', '2', '--json']);
    expect(again.code, again.output).toBe(0);
    expect(jsonIn(again.output)).toEqual(results.map((result) => ({ ...result, status: 'cached' })));
    expect(own()).toEqual(before);
  });

  it.each([
    [['--choices', 'lore_test.csv', '--protocol', 'mini'], '--protocol has no meaning here'],
    [['--shots', '1'], '--shots has no meaning here'],
    [['--protocol', 'wikitext'], 'there is no protocol wikitext'],
    [['--protocol', 'mini', '--windows', 'x.safetensors'], 'give --protocol or --windows, not both'],
    [['--against', 'nowhere.json'], 'the file of results cannot be read'],
  ])('refuses %j', async (args, message) => {
    const { code, output } = await workspace.tundish(['evaluate', 'models/tiny', ...args]);
    expect(output).toContain(message);
    expect(code).toBe(2);
  });

  it('refuses to score nothing', async () => {
    const { code, output } = await workspace.tundish(['evaluate', 'models/tiny', '--blocks', '--limit', '0']);
    expect(output).toContain('CLI_USAGE: no window is left to score');
    expect(code).toBe(2);
  });
});
