/** The graphs of a deep learning container: their inputs and outputs, as the vendor's IR library composes them. */
import { withChild } from '../child/child.js';
import { ERRORS_ONLY } from '../child/protocol.js';
import { childOptionsOf } from '../libraries/describe.js';
import { type QairtLibraries, libraryPath } from '../libraries/find.js';
import { type BinaryGraph, describeGraph } from './context-binary.js';

/**
 * That library knows no chip and takes any operation, so that containers for other backends are read too.
 *
 * @throws QAIRT_DLC_FORM for containers of before QAIRT 2, and the other errors of `Child.call`
 */
export async function dlcGraphs(path: string, libraries: QairtLibraries, signal?: AbortSignal): Promise<BinaryGraph[]> {
  return withChild({ ...childOptionsOf(libraries), ...(signal === undefined ? {} : { signal }) }, async (child) => {
    await child.call('openBackend', { library: libraryPath(libraries, 'ir'), logLevel: ERRORS_ONLY });
    const context = await child.call('createContext', { weightSharing: false });
    return (await child.call('composeDlc', { context, systemLibrary: libraryPath(libraries, 'system'), path }, { subject: path })).map(describeGraph);
  });
}
