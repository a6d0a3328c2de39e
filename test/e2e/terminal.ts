/** A pseudo-terminal, by `script` of util-linux: what only happens where a person types. */
import { spawn, spawnSync } from 'node:child_process';

export const CTRL_C = '\u0003';
export const CTRL_D = '\u0004';

/** What to wait for in the output behind the last match, and what to type then. */
export type Dialogue = readonly (readonly [RegExp, string])[];

const SCRIPT_WORKS = spawnSync('script', ['-qec', 'exit 7', '/dev/null'], { stdio: 'ignore' }).status === 7;

/** False where there is no `script`, or another one; tests that need it are then skipped, with a line that says so. */
export function canRunAtTerminal(): boolean {
  if (!SCRIPT_WORKS) console.warn('skipped: `script` of util-linux is not here, and nothing else makes a terminal');
  return SCRIPT_WORKS;
}

/** Runs a command at a terminal of 100 columns. It is killed when it says nothing awaited for a minute; the code is then null. */
export function runAtTerminal(command: readonly string[], dialogue: Dialogue, where: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): Promise<{ code: number | null; output: string }> {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn('script', ['-qec', `stty cols 100 rows 30; exec ${quoted}`, '/dev/null'], { ...where, stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    let read = 0;
    let step = 0;
    const kill = (): boolean => child.kill('SIGKILL');
    let patience = setTimeout(kill, 60_000);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      for (let found; step < dialogue.length && (found = dialogue[step]?.[0].exec(output.slice(read))) !== null && found !== undefined; step++) {
        read += found.index + found[0].length;
        child.stdin.write(dialogue[step]?.[1] ?? '');
        clearTimeout(patience);
        patience = setTimeout(kill, 60_000);
      }
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(patience);
      resolve({ code: step === dialogue.length ? code : null, output });
    });
  });
}
