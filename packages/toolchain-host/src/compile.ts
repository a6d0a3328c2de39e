/** The compile step: ONNX Runtime folds constants and packs weights once, and all graphs of a part share one data file. */
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TundishError } from '@tundish/diagnostics';
import type { CompileRequest, CompileResult, FileResolver, ProducedFile, ToolchainContext } from '@tundish/toolchain';
import { neededBytes } from './compiled-data.js';
import { hostError } from './errors.js';
import { editExternalEntries, readExternalEntries } from './external-entries.js';
import { SessionThread } from './session-thread.js';
import { SharedData } from './shared-data.js';
import { findWeightRoot } from './weight-root.js';

/**
 * Files of the result: `{graph}.onnx` for each graph and `part{i}_of_{n}.data` with the weights. The bytes depend on the
 * inputs, the version of ONNX Runtime and the CPU (`identity().machine`), and on nothing else. Option `prepack` (true by
 * default) stores weights in the layout of the CPU beside their own: a part opens at once and shares their memory, but is
 * larger; results are the same.
 *
 * @throws HOST_FILE_MISSING, HOST_COMPILE_FAILED, HOST_CANCELLED
 */
export async function compilePart(context: ToolchainContext, request: CompileRequest): Promise<CompileResult> {
  const { signal, scratch } = context;
  const dataName = `part${request.part}_of_${request.parts}.data`;
  const place = { work: join(scratch, 'compile'), dataName, prepack: request.options['prepack'] !== false };
  const shared = new SharedData(join(scratch, dataName));
  const thread = new SessionThread();
  const cancel = (): void => void thread.kill(cancelled(signal));
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const files = await compileGraphs(context, request, { thread, shared, place });
    const data = await stat(shared.path).catch(() => undefined);
    if (data !== undefined) files.push({ name: dataName, content: { path: shared.path } });
    return { graphs: request.graphs.map(({ io }) => io), files };
  } catch (error) {
    await thread.kill(cancelled(signal));
    await Promise.all([place.work, shared.path].map((path) => rm(path, { recursive: true, force: true })));
    throw signal.aborted ? cancelled(signal) : error;
  } finally {
    signal.removeEventListener('abort', cancel);
    await thread.close();
  }
}

/** Where one graph at a time is compiled, and how. */
interface Place {
  readonly work: string;
  readonly dataName: string;
  readonly prepack: boolean;
}

async function compileGraphs(context: ToolchainContext, request: CompileRequest, tools: { thread: SessionThread; shared: SharedData; place: Place }): Promise<ProducedFile[]> {
  const { thread, shared, place } = tools;
  const files: ProducedFile[] = [];
  for (const [done, graph] of request.graphs.entries()) {
    if (context.signal.aborted) throw cancelled(context.signal);
    context.reporter.progress({ label: 'graphs', done, total: request.graphs.length });
    await mkdir(place.work, { recursive: true });
    const compiled = await compileGraph(thread, graph.io.name, await loweredGraph(graph), request.resolve, place);
    files.push({ name: `${graph.io.name}.onnx`, content: { bytes: await shared.add(compiled, join(place.work, place.dataName)) } });
    await rm(place.work, { recursive: true, force: true });
  }
  return files;
}

async function compileGraph(thread: SessionThread, name: string, lowered: Uint8Array, resolve: FileResolver, place: Place): Promise<Uint8Array> {
  const root = await findWeightRoot(readExternalEntries(lowered).map((entries) => entries.get('location') ?? ''), resolve);
  const model = editExternalEntries(lowered, (entries) => new Map(entries).set('location', root.locations.get(entries.get('location') ?? '') ?? ''));
  const use = { kind: 'compile', graph: join(place.work, 'graph.onnx'), data: place.dataName, prepack: place.prepack } as const;
  try {
    await thread.open(name, { model, folder: root.folder, threads: 1, use });
  } catch (cause) {
    throw failed(name, cause);
  }
  const compiled = new Uint8Array(await readFile(use.graph));
  const size = (await stat(join(place.work, place.dataName)).catch(() => undefined))?.size ?? 0;
  const needed = neededBytes(readExternalEntries(compiled));
  if (size < needed) throw failed(name, undefined, `its data file has ${size} of ${needed} bytes: the disk may be full`);
  return compiled;
}

async function loweredGraph(graph: CompileRequest['graphs'][number]): Promise<Uint8Array> {
  const path = graph.files.get(`${graph.io.name}.onnx`);
  const bytes = path === undefined ? undefined : await readFile(path).catch(() => undefined);
  if (bytes !== undefined) return new Uint8Array(bytes);
  throw hostError('HOST_FILE_MISSING', { what: `the converted graph ${graph.io.name}.onnx is not there`, ...(path === undefined ? {} : { evidence: { path } }), fix: 'run convert again' });
}

function failed(name: string, cause: unknown, why?: string): Error {
  if (cause instanceof TundishError && cause.code !== 'HOST_SESSION_FAILED') return cause;
  const stderr = cause instanceof TundishError ? cause.evidence.stderr : undefined;
  return hostError('HOST_COMPILE_FAILED', {
    what: `ONNX Runtime cannot compile ${name}`,
    ...(why === undefined ? {} : { why }),
    ...(stderr === undefined ? {} : { evidence: { stderr } }),
    cause,
  });
}

function cancelled(signal: AbortSignal): Error {
  return hostError('HOST_CANCELLED', { what: 'compile was cancelled', why: 'the caller asked for it', cause: signal.reason });
}
