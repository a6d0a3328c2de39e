/** Progress of real processes, through pipes and through a pseudo terminal. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CHECKPOINT = 'models/llama32/checkpoint';
const PARITY = ['packages/cli/bin/tundish.js', 'parity', CHECKPOINT, '--golden', `${CHECKPOINT}/golden.safetensors`, '--threads', '1'];
/** Twenty steps of 0.1 s. */
const COUNT = ['packages/cli/test/progress-process.mjs'];
/** Nothing else: Node derives what a terminal can show from many variables, those of continuous integration among them. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => name === 'PATH' || name === 'HOME'));

interface Output {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function piped(args: readonly string[], env: NodeJS.ProcessEnv = {}): Output {
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', env: { ...environment, ...env } });
}

/** What a terminal receives: stdout and stderr together. */
function inTerminal(args: readonly string[], env: NodeJS.ProcessEnv): string {
  const command = [process.execPath, ...args].map((word) => `'${word}'`).join(' ');
  const { stdout, status } = spawnSync('script', ['-qec', `stty cols 80 && ${command}`, '/dev/null'], { cwd: ROOT, encoding: 'utf8', env: { ...environment, TERM: 'xterm-256color', ...env } });
  expect(status, stdout).toBe(0);
  return stdout;
}

const script = spawnSync('script', ['--version'], { encoding: 'utf8' });
const hasScript = script.status === 0 && script.stdout.includes('util-linux');
if (!hasScript) console.warn('skipped: progress in a terminal, since there is no `script` of util-linux to make one');

describe('through pipes', () => {
  test('progress is whole lines without escape codes, also with FORCE_COLOR', () => {
    const { stdout, stderr } = piped(COUNT, { FORCE_COLOR: '3' });
    expect(stdout).toBe('result\n');
    for (const code of ['\r', '\u001b']) expect(stderr).not.toContain(code);
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toContain('warning: nearly there');
    const milestones = lines.filter((line) => !line.startsWith('warning'));
    expect(milestones.length).toBeGreaterThan(0);
    for (const line of milestones) expect(line).toMatch(/^count: steps \d+ of 20, \d\d %, [\d.]+ MB\/s, about \d s left$/);
  });

  test('a command with --json prints the result alone on stdout, and no escape codes anywhere', () => {
    const { status, stdout, stderr } = piped([...PARITY, '--json'], { FORCE_COLOR: '3' });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ tokens: 160, ok: true });
    for (const code of ['\r', '\u001b']) expect(stderr).not.toContain(code);
  });

  test('--help names every exit code, and where results and progress go', () => {
    const { status, stdout } = piped(['packages/cli/bin/tundish.js', '--help']);
    expect(status).toBe(0);
    for (const part of ['0 success', '1 the answer is no', '2 wrong usage', '3 failure', '130 interrupted', '--json', 'NO_COLOR', 'stderr']) expect(stdout).toContain(part);
  });
});

describe.skipIf(!hasScript)('in a terminal', () => {
  test('one line is drawn in place, makes room for messages, and is gone before the result', () => {
    const shown = inTerminal(COUNT, { NO_COLOR: '1' });
    const [, ...drawn] = shown.split('\r\u001b[K');
    const frames = drawn.filter((text) => text.startsWith('count'));
    expect(frames.length, shown).toBeGreaterThan(2);
    for (const frame of frames) expect(frame).toMatch(/^count {2}\[#+\.*\] steps \d+ of 20 {2}[\d.]+ MB\/s {2}ETA \d s$/);
    for (const frame of frames) expect(frame.length).toBeLessThan(80);
    expect(drawn).toContain('warning: nearly there\r\n');
    expect(drawn.at(-1)).toBe('result\r\n');
  });

  test('the bar has colour unless NO_COLOR says otherwise, and there is none with TERM=dumb', () => {
    expect(inTerminal(COUNT, {})).toContain('[\u001b[32m#');
    expect(inTerminal(COUNT, { TERM: 'dumb' })).not.toContain('\u001b');
  });

  test('a command leaves its result as the last thing on the screen', () => {
    const last = inTerminal(PARITY, {}).split('\r\u001b[K').at(-1);
    expect(last).toMatch(/^160 tokens, maximal absolute error/);
    expect(last).not.toContain('\u001b');
  });
});
