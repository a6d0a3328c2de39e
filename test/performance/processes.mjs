/** Runs a command of this repository and measures it as a whole process. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Environment without what an outer Nx or CI would pass down. */
export function cleanEnvironment(extra = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('NX_') && !name.startsWith('npm_') && name !== 'CI' && name !== 'FORCE_COLOR');
  return { ...Object.fromEntries(kept), NO_COLOR: '1', NX_DAEMON: 'false', ...extra };
}

/** Resolves to code, output and seconds. */
export function run(command, args, { cwd = ROOT, env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command, args, { cwd, env: cleanEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr, seconds: (performance.now() - started) / 1000 }));
  });
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Runs a command that must succeed; the error has what it printed. */
export async function succeed(command, args, options) {
  const result = await run(command, args, options);
  if (result.code !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${result.stdout}\n${result.stderr}`);
  return result;
}

/** Runs a script of this repository whose last line is JSON, in a process of its own. */
export async function measured(script, args) {
  const { stdout } = await succeed('node', [join(ROOT, 'test/performance', script), ...args]);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}
