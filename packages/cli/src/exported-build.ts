/** The build of a model for a device, for verbs that write its graphs in forms that other tools read. */
import { join, resolve } from 'node:path';
import { type Reporter, formatBytes, textTable } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { Pipeline } from '@tundish/stages/pipeline';
import { makeFolder } from '@tundish/store';
import { type QairtLibraries, requireLibraries } from '@tundish/toolchain-qairt';
import { qairtPlaces } from './environment.js';
import { cliError } from './errors.js';
import { type Io, ioReporter } from './io.js';
import { programSetup } from './program-setup.js';
import { withRemote } from './remote-results.js';

export interface ExportOptions {
  readonly workspaceRoot: string;
  /** Relative to the workspace. */
  readonly modelRoot: string;
  /** Folder for the files; one of the model's artifacts when absent. */
  readonly to?: string;
  readonly threads: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

export interface ExportedFile {
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
}

export interface ExportWork {
  readonly pipeline: Pipeline;
  readonly libraries: QairtLibraries;
  /** Is there. */
  readonly folder: string;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/**
 * Opens the model, lets `write` write, and prints what it wrote. Units whose results are not there are built.
 *
 * @param artifact folder below the artifacts of the model
 * @throws CLI_EXPORT_HOST, QAIRT_LIBRARY_MISSING, and what a build and `write` throw
 */
export async function exportBuild(options: ExportOptions, artifact: string, io: Io, write: (work: ExportWork) => Promise<ExportedFile[]>): Promise<void> {
  const reporter = ioReporter(io);
  const files = await exportedFiles(options, artifact, reporter, write).finally(() => reporter.close());
  io.out(options.json ? `${JSON.stringify(files, null, 2)}\n` : `${textTable(['file', 'size'], files.map(({ path, bytes }) => [path, formatBytes(bytes)]), [false, true]).join('\n')}\n`);
}

async function exportedFiles({ workspaceRoot, modelRoot, to, threads, signal }: ExportOptions, artifact: string, reporter: Reporter, write: (work: ExportWork) => Promise<ExportedFile[]>): Promise<ExportedFile[]> {
  const pipeline = await Pipeline.open({ ...programSetup(workspaceRoot), modelRoot, threads, signal, reporter, observers: [], ...(await withRemote({ reporter, signal })) });
  try {
    refuseHost(pipeline.lock);
    const libraries = requireLibraries(qairtPlaces());
    const folder = to === undefined ? join(pipeline.layout.root, 'artifacts', artifact) : resolve(to);
    await makeFolder(folder);
    return await write({ pipeline, libraries, folder, reporter, signal });
  } finally {
    await pipeline.close();
  }
}

function refuseHost({ model, stages }: Lock): void {
  if ('chips' in stages.compile.options) return;
  throw cliError('CLI_EXPORT_HOST', { what: `${model} is not built for a device`, why: `its toolchain is ${stages.compile.toolchain.name}`, fix: 'write toolchain: qairt and a chipset into its recipe' });
}
