/** Installs the libraries from a wheel, at once or not at all: a folder by the final name is whole. */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, printable } from '@tundish/diagnostics';
import { SUPPORTED_BUILDS, type SupportedBuild } from './builds.js';
import { describeLibraries } from './describe.js';
import { type DownloadRequest, downloadWheel } from './download.js';
import { qairtError } from './errors.js';
import { INSTALLATION_FILE, type Installation, LIBRARY_FILES, type QairtLibraries, WHEEL_FOLDERS, hasLibrary, readInstallation } from './find.js';
import { withPartialFolder } from './partial-folder.js';
import { requirePlatform } from './platform.js';
import { fileSha256, unpackWheel, wrongWheel } from './wheel.js';

export interface InstallRequest {
  /** Folder of all installed versions. */
  readonly installed: string;
  /** The user's yes to the licence that `licenceNotice` names. */
  readonly acceptLicence: boolean;
  /** Of the wheel; the newest supported one when absent. */
  readonly version?: string;
  /** A wheel that is there already; fetched with pip when absent. */
  readonly wheel?: string;
  readonly pip?: DownloadRequest['pip'];
  readonly signal: AbortSignal;
}

export interface InstallResult extends Installation {
  readonly libraries: QairtLibraries;
  /** False when the same was installed already. */
  readonly isNew: boolean;
}

/** @throws QAIRT_VERSION_UNKNOWN */
export function supportedBuild(version: string = SUPPORTED_BUILDS[0].wheel): SupportedBuild {
  const build = SUPPORTED_BUILDS.find(({ wheel }) => wheel === version);
  if (build === undefined) throw qairtError('QAIRT_VERSION_UNKNOWN', { what: `version ${printable(version)} of the libraries is not supported`, fix: `known versions: ${SUPPORTED_BUILDS.map(({ wheel }) => wheel).join(', ')}` });
  return build;
}

/**
 * @throws QAIRT_LICENCE before anything is fetched; QAIRT_PLATFORM, QAIRT_GLIBC_OLD, QAIRT_VERSION_UNKNOWN, QAIRT_PIP_MISSING,
 *   QAIRT_DOWNLOAD, QAIRT_WHEEL_*, QAIRT_DISK_FULL, QAIRT_CANCELLED, and what `describeLibraries` throws; nothing stays behind then
 */
export async function installLibraries(request: InstallRequest): Promise<InstallResult> {
  if (!request.acceptLicence) throw qairtError('QAIRT_LICENCE', { what: 'the libraries are not fetched without a yes to their licence', fix: 'read it, and add --accept-licence' });
  requirePlatform();
  const wanted = request.version === undefined && request.wheel !== undefined ? undefined : supportedBuild(request.version).wheel;
  const sha256 = request.wheel === undefined ? undefined : await fileSha256(request.wheel);
  const known = knownInstallation(request.installed, wanted, sha256);
  if (known !== undefined) return known;
  mkdirSync(request.installed, { recursive: true });
  try {
    return await withPartialFolder(request.installed, (work) => installIn(work, request, wanted));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw qairtError('QAIRT_DISK_FULL', { what: 'the disk has no room for the libraries', why: messageOf(error), fix: 'make room: they take 500 MB' });
    throw error;
  }
}

/** The version is there, and from the given wheel if one is given. */
function knownInstallation(installed: string, wanted: string | undefined, sha256: string | undefined): InstallResult | undefined {
  for (const { wheel } of SUPPORTED_BUILDS) {
    if (wanted !== undefined && wheel !== wanted) continue;
    const installation = readInstallation(join(installed, wheel));
    const libraries = installedAt(installed, wheel, installation);
    if (installation !== undefined && hasLibrary(libraries, 'htp') && (sha256 === undefined || installation.wheelSha256 === sha256)) return { ...installation, libraries, isNew: false };
  }
  return undefined;
}

async function installIn(work: string, { installed, wheel: given, pip, signal }: InstallRequest, wanted: string | undefined): Promise<InstallResult> {
  const fetched = join(work, 'wheel');
  const root = join(work, 'libraries');
  for (const folder of [fetched, root]) mkdirSync(folder);
  const wheel = given ?? (await downloadWheel({ version: supportedBuild(wanted).wheel, folder: fetched, signal, ...(pip === undefined ? {} : { pip }) }));
  const version = await unpackWheel(wheel, root, signal);
  if (wanted !== undefined && version !== wanted) throw wrongWheel(wheel, `it is version ${printable(version)}, and ${wanted} was asked for`);
  supportedBuild(version);
  const unpacked = { folder: join(root, WHEEL_FOLDERS[0]), origin: wheel };
  const missing = (['htp', 'prepare', 'system'] as const).filter((name) => !hasLibrary(unpacked, name));
  if (missing.length > 0) throw wrongWheel(wheel, `it lacks ${missing.map((name) => LIBRARY_FILES[name]).join(', ')}`);
  const { buildId } = await describeLibraries(unpacked, signal);
  const installation: Installation = { version, wheelSha256: await fileSha256(wheel), buildId };
  writeFileSync(join(root, INSTALLATION_FILE), `${JSON.stringify(installation, null, 2)}\n`);
  replaceFolder(root, join(installed, version), join(work, 'replaced'));
  return { ...installation, libraries: installedAt(installed, version, installation), isNew: true };
}

function installedAt(installed: string, version: string, installation: Installation | undefined): QairtLibraries {
  return { folder: join(installed, version, WHEEL_FOLDERS[0]), origin: 'installed', ...(installation === undefined ? {} : { installation }) };
}

function replaceFolder(from: string, to: string, aside: string): void {
  if (existsSync(to)) renameSync(to, aside);
  renameSync(from, to);
}
