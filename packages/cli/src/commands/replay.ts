/** replay: runs the stage of a cache entry again, beside the cache, and compares every output. */
import { basename, dirname, join, resolve } from 'node:path';
import { formatSeconds, printable, textTable } from '@tundish/diagnostics';
import { type ReplayReport, replayEntry } from '@tundish/stages/pipeline';
import { findModels } from '@tundish/stages/workspace';
import { hubAccess, hubCacheOf } from '../environment.js';
import { type Io, ioReporter } from '../io.js';
import { adapters } from '../toolchains.js';

export interface ReplayOptions {
  /** Folder of a cache entry. */
  readonly entry: string;
  readonly workspaceRoot: string;
  /** Folder to be made for what comes out. */
  readonly save?: string;
  readonly threads: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** @returns exit code: 1 when an output, a fact or a reference differs */
export async function replayCommand({ entry: word, workspaceRoot, save, threads, json, signal }: ReplayOptions, io: Io): Promise<number> {
  const entry = resolve(word);
  const reporter = ioReporter(io);
  const report = await replayEntry({ entry, ...(save === undefined ? {} : { save: resolve(save) }), modelFolder: modelFolderOf(entry, workspaceRoot), hubCache: hubCacheOf(), hub: hubAccess(), adapters, reporter, signal, threads }).finally(() => reporter.close());
  const equal = report.manifestEqual && report.outputs.every((output) => output.equal);
  io.out(json ? `${JSON.stringify({ entry, equal, ...report }, null, 2)}\n` : describe(report, equal));
  return equal ? 0 : 1;
}

/** The folder of the cache that holds the entry is named after that of the model. Only stages that read the checkpoint need it. */
function modelFolderOf(entry: string, workspaceRoot: string): string {
  const name = basename(dirname(entry));
  const model = findModels(workspaceRoot).find(({ root }) => basename(root) === name);
  return join(workspaceRoot, model?.root ?? '');
}

function describe({ stage, subject, outputs, manifestEqual, changed, seconds }: ReplayReport, equal: boolean): string {
  const unit = subject === null ? stage : `${stage}/${subject}`;
  const different = outputs.filter((output) => !output.equal);
  const rows = different.map(({ name, expected, found }) => [printable(name), expected?.slice(0, 16) ?? 'not in the entry', found?.slice(0, 16) ?? 'not made']);
  return `${[
    `${unit}: run again in ${formatSeconds(seconds)}, ${equal ? `all ${outputs.length} outputs are equal` : `${different.length} of ${outputs.length} outputs differ`}`,
    ...changed.map((line) => `changed since: ${printable(line)}`),
    ...(rows.length === 0 ? [] : textTable(['output', 'entry', 'now'], rows)),
    ...(different.length === 0 && !manifestEqual ? ['facts or references to files of others differ'] : []),
  ].join('\n')}\n`;
}
