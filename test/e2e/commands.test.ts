/** The commands of the README on one built model: text, figures, exit codes; and what survives an interruption or a lost store. */
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ChatMessage, loadTokenizer } from '@tundish/tokenizer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKPOINT, NxWorkspace } from './nx-workspace.js';
import { CTRL_C, CTRL_D, type Dialogue, canRunAtTerminal } from './terminal.js';

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

describe('chat', () => {
  const QUESTIONS = ['And God said', 'Who art thou?'];
  const OPTIONS = ['--max-tokens', '24', '--json'];
  type Answer = { readonly content: string; readonly ids: number[]; readonly stats: { readonly promptTokens: number; readonly cachedTokens: number } };
  const answersIn = (output: string): Answer[] => output.split('\n').filter((line) => line.startsWith('{"role":"assistant"')).map((line) => JSON.parse(line) as Answer);

  it('answers the lines of a pipe, with the tokens of a fresh session, through Nx and without it', async () => {
    const { code, output } = await workspace.tundish(['chat', CONTAINER, ...OPTIONS], QUESTIONS.join('\n'));
    expect(code, output).toBe(0);
    expect(output).not.toContain('> ');
    const answers = answersIn(output);
    expect(answers).toHaveLength(2);
    const tokenizer = await loadTokenizer(join(workspace.root, CONTAINER));
    const messages: ChatMessage[] = [];
    for (const [i, { content, ids, stats }] of answers.entries()) {
      messages.push({ role: 'user', content: QUESTIONS[i] as string });
      const prompt = tokenizer.encode(await tokenizer.renderChat(messages), { addSpecialTokens: false });
      expect(stats.promptTokens).toBe(prompt.length);
      const fresh = await workspace.tundish(['generate', CONTAINER, '--ids', prompt.join(), ...OPTIONS]);
      expect(ids).toEqual(jsonIn<{ ids: number[] }>(fresh.output, '{').ids);
      messages.push({ role: 'assistant', content });
    }
    expect(answers[1]?.stats.cachedTokens).toBeGreaterThan(answers[0]?.stats.promptTokens as number);
    const nx = await workspace.nx(['run', 'tiny:chat', ...OPTIONS], {}, `${QUESTIONS.join('\n')}\n`);
    expect(nx.code, nx.output).toBe(0);
    expect(answersIn(nx.output).map(({ ids }) => ids)).toEqual(answers.map(({ ids }) => ids));
  });

  it('obeys commands, and says what it does not know', async () => {
    const { code, output } = await workspace.tundish(['chat', CONTAINER, '--max-tokens', '4', '--json'], 'Speak.\n/reset\nSpeak.\n/system Sing.\n\nSpeak.\n/frobnicate\n/exit\nSpeak.\n');
    expect(code, output).toBe(0);
    const [first, second, third, ...others] = answersIn(output);
    expect(others).toEqual([]);
    expect(second?.stats.promptTokens).toBe(first?.stats.promptTokens);
    expect(third?.stats.promptTokens).toBeGreaterThan(first?.stats.promptTokens as number);
    expect(output).toContain('/frobnicate is no command; /help lists them');
  });

  it('goes on when the context is full, without what is oldest, and says so', async () => {
    const { code, output } = await workspace.tundish(['chat', CONTAINER, '--max-tokens', '4', '--json'], `${'and the king '.repeat(130)}\n`.repeat(3));
    expect(code, output).toBe(0);
    const [first, second, third] = answersIn(output).map(({ stats }) => stats.promptTokens);
    expect(second).toBeGreaterThan(2 * (first as number));
    expect(third).toBe(second);
    expect(output.split('(no room: the oldest exchange is forgotten)')).toHaveLength(2);
  });

  it('fails at a message of a pipe that does not fit, and at a container without a chat template', async () => {
    const long = await workspace.tundish(['chat', CONTAINER], `${'and the king '.repeat(800)}\nSpeak.\n`);
    expect(long.output).toMatch(/RUNTIME_CAPACITY: the message needs \d+ tokens and the container holds 1023/);
    expect(long.code).toBe(3);
    const silent = join(workspace.root, 'silent');
    cpSync(join(workspace.root, CONTAINER), silent, { recursive: true });
    const manifest = JSON.parse(readFileSync(join(silent, 'manifest.json'), 'utf8')) as { files: Record<string, unknown> };
    rmSync(join(silent, 'chat_template.jinja'));
    delete manifest.files['chat_template.jinja'];
    writeFileSync(join(silent, 'manifest.json'), JSON.stringify(manifest));
    const refused = await workspace.tundish(['chat', silent], 'Speak.\n');
    expect(refused.output).toMatch(/CLI_CHAT_TEMPLATE: .*silent has no chat template[^]*use generate/);
    expect(refused.code).toBe(3);
  });

  const byHand: Dialogue = [
    [/help\.\s[^]*> /, 'And God said\r'],
    [/said\s+\w+ \w+ \w+/, CTRL_C],
    [/\b16 prompt tokens[^]*stopped by aborted\s[^]*> /, 'Who?\r'],
    [/\b\d{2,} prompt tokens \([^]*> /, 'half a line'],
    [/half a line/, CTRL_C],
    [/> /, '/reset\r'],
    [/\(forgotten\)[^]*> /, 'And God said\r'],
    [/said\s+\w+ \w+ \w+/, CTRL_C],
    [/\b16 prompt tokens[^]*stopped by aborted\s[^]*> /, ''],
  ];
  const twice: Dialogue = [[/(?:)/, CTRL_C], [/again leaves[^]*> /, CTRL_C]];

  it.skipIf(!canRunAtTerminal())('at a terminal, Ctrl-C stops an answer and keeps what it said, clears a line, and leaves when pressed twice', async () => {
    const left = await workspace.atTerminal('tundish', ['chat', CONTAINER, '--max-tokens', '250'], [...byHand, ...twice]);
    expect(left.code, left.output).toBe(130);
    const ended = await workspace.atTerminal('tundish', ['chat', CONTAINER], [[/> /, CTRL_D]]);
    expect(ended.code, ended.output).toBe(0);
  });

  it.skipIf(!canRunAtTerminal())('does the same through Nx, also where its terminal UI is on', async () => {
    const left = await workspace.atTerminal('nx', ['run', 'tiny:chat', '--max-tokens', '250'], [...byHand, ...twice], { NX_TUI: 'true' });
    expect(left.code, left.output).toBe(130);
    const ended = await workspace.atTerminal('nx', ['run', 'tiny:chat'], [[/help\.\s[^]*> /, CTRL_D]], { NX_TUI: 'true' });
    expect(ended.code, ended.output).toBe(0);
    expect(ended.output).toContain('Successfully ran target chat');
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
