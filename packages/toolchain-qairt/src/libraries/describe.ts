/** What libraries are, by asking them: build, versions of their interfaces, and what can be done with them. */
import { dirname, join } from 'node:path';
import { type Child, type ChildOptions, withChild } from '../child/child.js';
import { ERRORS_ONLY } from '../child/protocol.js';
import { releaseOf } from './builds.js';
import { type QairtLibraries, WHEEL_FOLDERS, hasLibrary, libraryPath } from './find.js';

export interface LibrariesDescription {
  readonly folder: string;
  readonly origin: string;
  /** `v2.51.0.260929181845` */
  readonly buildId: string;
  /** `2.51`; null for a build that has not been tested. */
  readonly release: string | null;
  readonly coreApi: string;
  readonly htpApi: string;
  /** Null where the library is not there. */
  readonly systemApi: string | null;
  readonly genieApi: string | null;
  readonly capabilities: readonly Capability[];
}

/** compile: context binaries; emulate: execute graphs here; inspect: read binaries; dlc: write containers; genie: generate with the vendor's runtime. */
export type Capability = 'compile' | 'emulate' | 'inspect' | 'dlc' | 'genie';

/** What a child needs to load these libraries: folders for those that name none of their own. */
export function childOptionsOf({ folder }: QairtLibraries): Pick<ChildOptions, 'searchFolders'> {
  return { searchFolders: [folder, join(dirname(folder), WHEEL_FOLDERS[1])] };
}

/** @throws QAIRT_BUILD_UNSUPPORTED, QAIRT_GLIBC_OLD, QAIRT_LIBRARY_INVALID and the other errors of `Child.call` */
export async function describeLibraries(libraries: QairtLibraries, signal?: AbortSignal): Promise<LibrariesDescription> {
  return withChild({ ...childOptionsOf(libraries), ...(signal === undefined ? {} : { signal }) }, async (child) => {
    const htp = await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: ERRORS_ONLY }, { subject: libraryPath(libraries, 'htp') });
    const systemApi = await versionIn(child, libraries, 'system');
    const genieApi = await versionIn(child, libraries, 'genie');
    return { folder: libraries.folder, origin: libraries.origin, buildId: htp.buildId, release: releaseOf(htp.buildId) ?? null, coreApi: htp.coreApi, htpApi: htp.backendApi, systemApi, genieApi, capabilities: capabilitiesOf(libraries) };
  });
}

async function versionIn(child: Child, libraries: QairtLibraries, name: 'system' | 'genie'): Promise<string | null> {
  if (!hasLibrary(libraries, name)) return null;
  const library = libraryPath(libraries, name);
  return child.call(name === 'system' ? 'systemVersion' : 'genieVersion', { library }, { subject: library });
}

function capabilitiesOf(libraries: QairtLibraries): Capability[] {
  const needs = { compile: ['htp', 'prepare', 'system'], emulate: ['htp', 'prepare', 'system'], inspect: ['system'], dlc: ['ir', 'system'], genie: ['genie', 'htp', 'prepare', 'system'] } as const;
  return (Object.keys(needs) as Capability[]).filter((capability) => needs[capability].every((name) => hasLibrary(libraries, name)));
}
