/** Finds the vendor's libraries: where the environment says, else what `tundish toolchain install` left. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { SUPPORTED_BUILDS } from './builds.js';
import { qairtError } from './errors.js';

/** Where to look; a surface reads the environment and gives its values. */
export interface LibraryPlaces {
  /** Folders that variables name, in the order in which they count: the libraries themselves, or the root of a full SDK. */
  readonly named: readonly { readonly variable: string; readonly folder: string; readonly isSdk: boolean }[];
  /** Folder that holds installed versions. */
  readonly installed: string;
}

/** A folder with libraries. Nothing has been loaded from it. */
export interface QairtLibraries {
  /** Absolute; holds libQnnHtp.so and its neighbours. */
  readonly folder: string;
  /** The variable that names the folder, or `installed`. */
  readonly origin: string;
  /** Of an installed wheel: its version, and what was recorded when it was installed. */
  readonly installation?: Installation;
}

/** Record beside the libraries. */
export interface Installation {
  readonly version: string;
  readonly wheelSha256: string;
  readonly buildId: string;
}

export const LIBRARY_FILES = { htp: 'libQnnHtp.so', prepare: 'libHtpPrepare.so', system: 'libQnnSystem.so', ir: 'libQnnIr.so', genie: 'libGenie.so' } as const;

export type LibraryName = keyof typeof LIBRARY_FILES;

/** Folders inside a wheel; the loader finds the second from the first, so that both lie side by side. */
export const WHEEL_FOLDERS = ['onnxruntime_qnn', 'onnxruntime_qnn.libs'] as const;

export const INSTALLATION_FILE = 'installed.json';

/** Inside an SDK. */
const SDK_FOLDER = join('lib', 'x86_64-linux-clang');

export function libraryPath({ folder }: QairtLibraries, name: LibraryName): string {
  return join(folder, LIBRARY_FILES[name]);
}

export function hasLibrary(libraries: QairtLibraries, name: LibraryName): boolean {
  return statSync(libraryPath(libraries, name), { throwIfNoEntry: false })?.isFile() === true;
}

/** All that are there: the first is used. @throws QAIRT_LIBRARY_MISSING when a variable names a folder without them */
export function findLibraries({ named, installed }: LibraryPlaces): QairtLibraries[] {
  return [...named.map(namedLibraries), ...installedLibraries(installed)];
}

/** @throws QAIRT_LIBRARY_MISSING */
export function requireLibraries(places: LibraryPlaces): QairtLibraries {
  const [first] = findLibraries(places);
  if (first !== undefined) return first;
  throw qairtError('QAIRT_LIBRARY_MISSING', {
    what: 'the vendor\'s libraries are not installed',
    why: `nothing is in ${printable(places.installed)}, and no variable names another folder`,
    fix: 'npx tundish toolchain install qairt --accept-licence, or set QAIRT_LIB_DIR or QAIRT_SDK_ROOT',
  });
}

function namedLibraries({ variable, folder, isSdk }: LibraryPlaces['named'][number]): QairtLibraries {
  const libraries = { folder: isSdk ? join(folder, SDK_FOLDER) : folder, origin: variable };
  if (hasLibrary(libraries, 'htp')) return libraries;
  throw qairtError('QAIRT_LIBRARY_MISSING', {
    what: `${variable} names a folder without the vendor's libraries`,
    why: `there is no ${LIBRARY_FILES.htp}`,
    evidence: { path: libraries.folder },
    fix: isSdk ? `set ${variable} to the root of an SDK, or unset it` : `set ${variable} to the folder with ${LIBRARY_FILES.htp}, or unset it`,
  });
}

/** Newest first. */
export function installedLibraries(installed: string): QairtLibraries[] {
  const names = existsSync(installed) ? readdirSync(installed) : [];
  return SUPPORTED_BUILDS.filter(({ wheel }) => names.includes(wheel)).flatMap(({ wheel }) => {
    const root = join(installed, wheel);
    const installation = readInstallation(root);
    const libraries = { folder: join(root, WHEEL_FOLDERS[0]), origin: 'installed' };
    return installation === undefined || !hasLibrary(libraries, 'htp') ? [] : [{ ...libraries, installation }];
  });
}

/** Undefined when there is no whole record: an installation without one is none. */
export function readInstallation(root: string): Installation | undefined {
  try {
    const { version, wheelSha256, buildId } = JSON.parse(readFileSync(join(root, INSTALLATION_FILE), 'utf8')) as Partial<Installation>;
    return typeof version === 'string' && typeof wheelSha256 === 'string' && typeof buildId === 'string' ? { version, wheelSha256, buildId } : undefined;
  } catch {
    return undefined;
  }
}
