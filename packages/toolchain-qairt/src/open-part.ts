/** A part opened for execution in the emulator: its binary loaded by a process of its own. */
import type { Executable, OpenRequest, TensorData } from '@tundish/toolchain';
import type { QnnData } from '@tundish/native/qnn';
import { Child } from './child/child.js';
import { ERRORS_ONLY } from './child/protocol.js';
import { type OpenedGraph, openInspected } from './inspection/open-binary.js';
import { childOptionsOf } from './libraries/describe.js';
import { qairtError } from './libraries/errors.js';
import { type QairtLibraries, libraryPath } from './libraries/find.js';

/**
 * The emulator uses the threads that it wants, and gives the same codes whatever they are.
 *
 * @throws QAIRT_BINARY_SHARED for graphs that share weights, which no x86 machine can load; QAIRT_BINARY_NEWER, QAIRT_BINARY_DAMAGED
 */
export async function openPart({ graphs, files }: OpenRequest, libraries: QairtLibraries): Promise<Executable> {
  const path = [...files].find(([name]) => name.endsWith('.bin'))?.[1];
  if (path === undefined) throw qairtError('QAIRT_FILE', { what: 'the part has no context binary', fix: 'build it again' });
  const child = new Child(childOptionsOf(libraries));
  try {
    const info = await child.call('inspect', { systemLibrary: libraryPath(libraries, 'system'), path }, { subject: path });
    await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: ERRORS_ONLY, ...(info.socModel === undefined ? {} : { soc: info.socModel }) });
    const opened = await openInspected(child, info, path);
    return {
      graphs,
      // All graphs of a binary are loaded together.
      prepare: () => Promise.resolve(),
      run: async (name, inputs, outputs) => {
        const results = await graphNamed(opened, name, path)(Object.fromEntries(inputs) as Record<string, QnnData>);
        const wanted = outputs ?? Object.keys(results);
        return new Map(wanted.map((output) => [output, results[output] as TensorData]));
      },
      close: () => child.close(),
    };
  } catch (error) {
    await child.close();
    throw error;
  }
}

function graphNamed(opened: ReadonlyMap<string, OpenedGraph>, name: string, path: string): OpenedGraph {
  const graph = opened.get(name);
  if (graph === undefined) throw qairtError('QAIRT_FILE', { what: `the binary has no graph ${name}`, evidence: { path }, fix: 'build it again' });
  return graph;
}
