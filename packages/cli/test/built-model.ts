/** A small model built in a temporary workspace, and the command run on it as a process. */
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pipeline, unitName, unitsOf } from '@tundish/stages';
import { QUANTIZED_RECIPE, Workspace, temporaryFolder } from '../../stages/test/workspace.js';
import { main as runMain } from '../src/main.js';

export const COMMAND = fileURLToPath(new URL('../bin/tundish.js', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A workspace whose model `tiny` is built up to `last`. */
export async function builtModel(last = 'package', recipe = QUANTIZED_RECIPE): Promise<Workspace> {
  const workspace = Workspace.make(recipe);
  await build(workspace, last);
  return workspace;
}

/** Locks and runs every unit up to `last`, with the compiled code, as the command does: its digest is in the keys. @returns names of the units that were run, not found */
export async function build(workspace: Workspace, last: string): Promise<string[]> {
  const units = unitsOf(await workspace.lock());
  const pipeline = await Pipeline.open(workspace.request());
  const ran: string[] = [];
  for (const unit of units.slice(0, units.findLastIndex(({ stage }) => stage === last) + 1)) {
    if ((await pipeline.run(unit)).status === 'run') ran.push(unitName(unit));
  }
  return ran;
}

/** A copy that a test may break, with the times of the original. Hard links become copies, as on a disk that has none. */
export function copyOf(workspace: Workspace): Workspace {
  const root = join(temporaryFolder(), 'copy');
  cpSync(workspace.root, root, { recursive: true, preserveTimestamps: true });
  return new Workspace(root, join(root, '.tundish', 'cache'));
}

/** Runs `tundish` in the workspace. */
export function tundish({ root }: Pick<Workspace, 'root'>, ...words: string[]): CommandResult {
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...words], { cwd: root, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: root, NO_COLOR: '1' } });
  return { code: status, stdout, stderr };
}

/** The same command line in this process, which spares the start of another. */
export async function main({ root }: Pick<Workspace, 'root'>, ...words: string[]): Promise<CommandResult> {
  let [stdout, stderr] = ['', ''];
  process.chdir(root);
  const code = await runMain(words, { out: (text) => (stdout += text), err: (text) => (stderr += text) });
  return { code, stdout, stderr };
}

/** The JSON that a verb prints, which must be all of its output. */
export function json<T>({ code, stdout, stderr }: CommandResult, expected = 0): T {
  if (code !== expected) throw new Error(`exit code ${code}, not ${expected}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout) as T;
}
