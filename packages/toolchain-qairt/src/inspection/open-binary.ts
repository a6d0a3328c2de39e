/** A context binary opened for execution in the emulator: its graphs by name, their tensors by name. */
import type { QnnBinaryInfo, QnnData } from '@tundish/native/qnn';
import type { Child } from '../child/child.js';
import { type QairtLibraries, libraryPath } from '../libraries/find.js';
import { requireUnshared } from '../child/failure.js';
import { elementsOf } from './element-types.js';

/** Runs one graph: inputs and outputs by name, dense and row-major, arrays of the elements that the binary states. */
export type OpenedGraph = (inputs: Readonly<Record<string, QnnData>>) => Promise<Record<string, QnnData>>;

/** @param child has opened the HTP backend, and ends the graphs @throws QAIRT_BINARY_SHARED, QAIRT_BINARY_NEWER, QAIRT_BINARY_DAMAGED */
export async function openBinary(child: Child, libraries: QairtLibraries, path: string): Promise<Map<string, OpenedGraph>> {
  return openInspected(child, await child.call('inspect', { systemLibrary: libraryPath(libraries, 'system'), path }, { subject: path }), path);
}

/** The same for a binary that was inspected already. @throws as `openBinary` */
export async function openInspected(child: Child, info: QnnBinaryInfo, path: string): Promise<Map<string, OpenedGraph>> {
  requireUnshared(info.graphs, path);
  const context = await child.call('loadContext', { path }, { subject: path });
  const opened = new Map<string, OpenedGraph>();
  for (const { name, inputs, outputs } of info.graphs) {
    const graph = await child.call('openGraph', { context, name, inputs, outputs }, { subject: name });
    opened.set(name, executableGraph(child, graph, { name, outputs }));
  }
  return opened;
}

/** @param graph handle of a graph that is loaded, or finalized */
export function executableGraph(child: Child, graph: number, { name, outputs }: { readonly name: string; readonly outputs: readonly { readonly name: string; readonly element: number }[] }): OpenedGraph {
  return async (inputs) => {
    const results = await child.call('execute', { graph, inputs }, { subject: name });
    return Object.fromEntries(outputs.map((output) => [output.name, elementsOf(results[output.name] as Uint8Array, output.element)]));
  };
}
