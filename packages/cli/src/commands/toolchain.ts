/** toolchain: the vendor's libraries in the user's cache: installed from a wheel after a yes to their licence, and listed. */
import { resolve } from 'node:path';
import { TundishError, messageOf, printable, textTable } from '@tundish/diagnostics';
import { type LibrariesDescription, type QairtLibraries, SUPPORTED_BUILDS, describeLibraries, findLibraries, installLibraries, licenceNotice, supportedBuild } from '@tundish/toolchain-qairt';
import { qairtPlaces } from '../environment.js';
import { cliError } from '../errors.js';
import type { Io } from '../io.js';

export interface ToolchainInstallOptions {
  /** `qairt`. */
  readonly name: string;
  readonly acceptLicence: boolean;
  /** A wheel that is there already. */
  readonly wheel?: string;
  /** Of the wheel. */
  readonly version?: string;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** @throws CLI_TOOLCHAIN_UNKNOWN, QAIRT_LICENCE, and the errors of `installLibraries` */
export async function toolchainInstallCommand({ name, acceptLicence, wheel, version, json, signal }: ToolchainInstallOptions, io: Io): Promise<void> {
  if (name !== 'qairt') throw cliError('CLI_TOOLCHAIN_UNKNOWN', { what: `${printable(name)} is no toolchain that can be installed`, fix: 'the one that can is qairt; host comes with npm' });
  for (const line of licenceNotice(wheel ?? supportedBuild(version))) io.err(`${line}\n`);
  const { libraries, isNew, ...installation } = await installLibraries({
    installed: qairtPlaces().installed, acceptLicence, signal,
    ...(version === undefined ? {} : { version }),
    ...(wheel === undefined ? {} : { wheel: resolve(wheel) }),
  });
  if (json) io.out(`${JSON.stringify({ ...installation, folder: libraries.folder, isNew }, null, 2)}\n`);
  else io.out(`onnxruntime-qnn ${installation.version} (${installation.buildId}) ${isNew ? 'is installed' : 'was installed already'} in ${libraries.folder}\n`);
}

/** One row of `toolchain list`: libraries that are there, and what they say or why they say nothing. */
type Row = { readonly libraries: QairtLibraries } & ({ readonly description: LibrariesDescription } | { readonly problem: string });

/** @throws QAIRT_LIBRARY_MISSING when a variable names a folder without libraries */
export async function toolchainListCommand({ json, signal }: { readonly json: boolean; readonly signal: AbortSignal }, io: Io): Promise<void> {
  const rows: Row[] = [];
  for (const libraries of findLibraries(qairtPlaces())) rows.push(await rowOf(libraries, signal));
  if (json) io.out(`${JSON.stringify(rows.map(({ libraries, ...rest }) => ({ ...libraries, ...('description' in rest ? rest.description : rest) })), null, 2)}\n`);
  else io.out(`${describe(rows).join('\n')}\n`);
}

async function rowOf(libraries: QairtLibraries, signal: AbortSignal): Promise<Row> {
  try {
    return { libraries, description: await describeLibraries(libraries, signal) };
  } catch (error) {
    if (!(error instanceof TundishError)) throw error;
    return { libraries, problem: printable(messageOf(error).split('\n', 1)[0] ?? '') };
  }
}

function describe(rows: readonly Row[]): string[] {
  if (rows.length === 0) return ['no libraries of qairt are here: npx tundish toolchain install qairt --accept-licence', `versions that can be installed: ${SUPPORTED_BUILDS.map(({ wheel, release }) => `${wheel} (QAIRT ${release})`).join(', ')}`];
  const cells = rows.map((row, i) => [
    i === 0 ? 'used' : '',
    row.libraries.installation?.version ?? row.libraries.origin,
    ...('problem' in row ? [row.problem, '', ''] : [row.description.buildId, `core ${row.description.coreApi}, HTP ${row.description.htpApi}`, row.description.capabilities.join(' ')]),
    row.libraries.folder,
  ]);
  return textTable(['', 'origin', 'build', 'versions', 'can', 'folder'], cells);
}
