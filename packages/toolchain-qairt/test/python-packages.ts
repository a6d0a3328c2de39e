/** Python with packages of their own, for tests that hold us against other programs; undefined, and one line, where there is none. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** @param folder to be made @returns the interpreter */
export function pythonWith(folder: string, packages: readonly string[]): string | undefined {
  const python = join(folder, 'bin', 'python');
  const steps = [['python3', '-m', 'venv', folder], [python, '-m', 'pip', 'install', '--quiet', '--only-binary=:all:', ...packages]] as const;
  for (const [program, ...words] of steps) {
    const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8', timeout: 300_000 });
    if (status === 0) continue;
    process.stderr.write(`SKIPPED: tests with ${packages.join(', ')} in Python (${(error?.message ?? stderr).trim().split('\n').at(-1)})\n`);
    return undefined;
  }
  return python;
}
