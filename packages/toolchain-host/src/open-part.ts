/** Opens a compiled part: all its graphs in one thread, over one mapping of the shared data file, each when it is first needed. */
import { readFile, stat } from 'node:fs/promises';
import { printable } from '@tundish/diagnostics';
import type { Executable, GraphIo, OpenRequest } from '@tundish/toolchain';
import { neededBytes } from './compiled-data.js';
import { hostError } from './errors.js';
import { editExternalEntries, readExternalEntries } from './external-entries.js';
import { checkedFeeds, checkedFetches } from './feeds.js';
import { SessionThread } from './session-thread.js';
import { findWeightRoot } from './weight-root.js';
import type { SessionSpec } from './worker-protocol.js';

/**
 * Files are checked now; a graph is opened by `prepare` or its first run, for a short conversation never needs the long
 * contexts.
 *
 * @throws HOST_FILE_MISSING, HOST_FILE_DAMAGED; the executable also throws HOST_SESSION_FAILED
 */
export async function openPart(request: OpenRequest): Promise<Executable> {
  const specs = new Map<string, SessionSpec>();
  for (const { name } of request.graphs) specs.set(name, await sessionSpec(name, request));
  return executable(request.graphs, specs);
}

async function sessionSpec(name: string, request: OpenRequest): Promise<SessionSpec> {
  const graph = await readFile(fileOf(request, `${name}.onnx`)).catch((cause: unknown) => {
    throw hostError('HOST_FILE_MISSING', { what: `the compiled graph ${name}.onnx is not there`, evidence: { path: fileOf(request, `${name}.onnx`) }, fix: 'run compile again', cause });
  });
  const tensors = readExternalEntries(graph);
  const root = await findWeightRoot(tensors.map((entries) => entries.get('location') ?? ''), (location) => fileOf(request, location));
  await assertWhole(name, tensors, root.paths);
  const model = editExternalEntries(graph, (entries) => new Map(entries).set('location', root.locations.get(entries.get('location') ?? '') ?? ''));
  return { model, folder: root.folder, threads: request.threads, use: { kind: 'execute' } };
}

/** A file that is too short would be mapped all the same, and kill the process on the first read behind its end. */
async function assertWhole(name: string, tensors: ReturnType<typeof readExternalEntries>, paths: ReadonlyMap<string, string>): Promise<void> {
  for (const [location, path] of paths) {
    const needed = neededBytes(tensors.filter((entries) => entries.get('location') === location));
    const { size } = await stat(path);
    if (size >= needed) continue;
    throw hostError('HOST_FILE_DAMAGED', {
      what: `${printable(location)} has ${size} bytes, ${name} reads ${needed}`,
      why: 'the file was cut, or belongs to another build',
      evidence: { path },
      fix: 'run compile again',
    });
  }
}

function fileOf(request: OpenRequest, name: string): string {
  const path = request.files.get(name);
  if (path !== undefined) return path;
  throw hostError('HOST_FILE_MISSING', { what: `${printable(name)} is not among the files of the part`, why: `they are ${[...request.files.keys()].map((file) => printable(file)).join(', ')}` });
}

function executable(graphs: readonly GraphIo[], specs: ReadonlyMap<string, SessionSpec>): Executable {
  const thread = new SessionThread();
  const opened = new Map<string, Promise<void>>();
  const open = (name: string): Promise<void> => {
    const opening = opened.get(name) ?? thread.open(name, specs.get(name) as SessionSpec);
    opened.set(name, opening);
    return opening;
  };
  const graphOf = (name: string): GraphIo => {
    const graph = graphs.find((candidate) => candidate.name === name);
    if (graph !== undefined) return graph;
    throw hostError('HOST_UNKNOWN_GRAPH', { what: `no graph ${printable(name)} in this part`, why: `its graphs are ${graphs.map((known) => known.name).join(', ')}` });
  };
  return {
    graphs,
    prepare: async (name) => open(graphOf(name).name),
    run: async (name, inputs, outputs) => {
      const graph = graphOf(name);
      const feeds = checkedFeeds(name, graph.inputs, inputs);
      const fetches = checkedFetches(name, graph.outputs.map((output) => output.name), outputs);
      await open(name);
      return thread.run(name, feeds, fetches);
    },
    close: () => thread.close(),
  };
}
