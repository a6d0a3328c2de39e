/** Which libraries are meant, as keys and locks say it; nothing is loaded where an installation recorded its build. */
import type { ToolchainIdentity } from '@tundish/toolchain';
import { describeLibraries } from './libraries/describe.js';
import { releaseOf } from './libraries/builds.js';
import { qairtError } from './libraries/errors.js';
import type { QairtLibraries } from './libraries/find.js';

/** Folders that variables name have no record: asked once a process. */
const described = new Map<string, Promise<string>>();

/** `qairt v2.51.0.260929181845`. @throws QAIRT_BUILD_UNSUPPORTED */
export async function qairtVersion(libraries: QairtLibraries): Promise<string> {
  const buildId = libraries.installation?.buildId ?? (await askBuild(libraries));
  if (releaseOf(buildId) === undefined) throw qairtError('QAIRT_BUILD_UNSUPPORTED', { what: `the libraries are of build ${buildId}, which has not been tested`, evidence: { path: libraries.folder }, fix: 'install one that is: npx tundish toolchain install qairt --accept-licence' });
  return `qairt ${buildId}`;
}

/** The compiler gives the same bytes on every machine. */
export async function qairtIdentity(libraries: QairtLibraries): Promise<ToolchainIdentity> {
  return { name: 'qairt', version: await qairtVersion(libraries), machine: '', operators: '' };
}

function askBuild(libraries: QairtLibraries): Promise<string> {
  const known = described.get(libraries.folder);
  if (known !== undefined) return known;
  const asked = describeLibraries(libraries).then(({ buildId }) => buildId);
  described.set(libraries.folder, asked);
  return asked;
}
