/** The compile step: ONNX Runtime folds constants and packs what it packs, once; other weights stay the files that they are. */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TundishError } from '@tundish/diagnostics';
import type { CompileRequest, CompileResult, FileResolver, ProducedFile, ToolchainContext } from '@tundish/toolchain';
import { comparedPipe } from './compared-pipe.js';
import { neededBytes } from './compiled-data.js';
import { hostError } from './errors.js';
import { editExternalEntries, readExternalEntries } from './external-entries.js';
import { SessionThread } from './session-thread.js';
import { EXTERNAL_FROM_BYTES } from './session-options.js';
import { SharedData } from './shared-data.js';
import { type WeightRoot, findWeightRoot } from './weight-root.js';
import { type Relieved, setWeightsAside } from './weights-aside.js';

/**
 * Files of the result: `{graph}.onnx` for each graph; the weight files that they read as these lie; and, where ONNX Runtime
 * folds or packs weights, `part{i}_of_{n}.data` with those. The bytes depend on the inputs, the version of ONNX Runtime and
 * the CPU (`identity().machine`), and on nothing else. Option `prepack` (true by default) stores packed weights in the layout
 * of the CPU beside their own: a part opens at once and shares their memory, but is larger; results are the same.
 *
 * @throws HOST_FILE_MISSING, HOST_COMPILE_FAILED, HOST_CANCELLED; the error of the system call when the disk is full
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
    const jobs = await Promise.all(request.graphs.map((graph) => jobOf(graph, request.resolve)));
    const files = await compileGraphs(context, jobs, { thread, shared, place });
    const data = await stat(shared.path).catch(() => undefined);
    if (data !== undefined) files.push({ name: dataName, content: { path: shared.path } });
    for (const location of new Set(jobs.flatMap(({ aside }) => aside.locations))) files.push({ name: location, content: { location } });
    return { graphs: request.graphs.map(({ io }) => io), files };
  } catch (error) {
    await thread.kill(cancelled(signal));
    const graphs = request.graphs.map(({ io }) => join(scratch, `${io.name}.onnx`));
    await Promise.all([place.work, shared.path, ...graphs].map((path) => rm(path, { recursive: true, force: true })));
    throw signal.aborted ? cancelled(signal) : error;
  } finally {
    signal.removeEventListener('abort', cancel);
    await thread.close();
  }
}

const COMPILED = 'graph.onnx';
/** More than a buffered writer leaves of a disk that was full for it. */
const ROOM_BYTES = 1 << 20;

/** Where one graph at a time is compiled, and how. */
interface Place {
  readonly work: string;
  readonly dataName: string;
  readonly prepack: boolean;
}

interface Tools {
  readonly thread: SessionThread;
  readonly shared: SharedData;
  readonly place: Place;
}

async function compileGraphs(context: ToolchainContext, jobs: readonly Job[], tools: Tools): Promise<ProducedFile[]> {
  const files: ProducedFile[] = [];
  const report = (done: number): void => context.reporter.progress({ work: 'compile', label: 'graphs', done, total: jobs.length });
  for (const [done, job] of jobs.entries()) {
    if (context.signal.aborted) throw cancelled(context.signal);
    report(done);
    files.push({ name: `${job.name}.onnx`, content: (await compileOverShared(job, tools)) ?? (await compileWithData(job, tools)) });
  }
  report(jobs.length);
  return files;
}

/** One graph to compile: its name, the lowered ONNX without the weights that stay as they are, and where all of them lie. */
interface Job {
  readonly name: string;
  readonly aside: Relieved;
  readonly root: WeightRoot;
}

/** @throws HOST_FILE_MISSING, also for a weight that compile itself never reads */
async function jobOf(graph: CompileRequest['graphs'][number], resolve: FileResolver): Promise<Job> {
  const lowered = await loweredGraph(graph);
  const root = await findWeightRoot(readExternalEntries(lowered).map((entries) => entries.get('location') ?? ''), resolve);
  return { name: graph.io.name, aside: setWeightsAside(lowered, EXTERNAL_FROM_BYTES), root };
}

/** Compiles a graph whose packed weights are expected to be those of the graphs before it; undefined when they are not. */
async function compileOverShared(job: Job, { thread, shared, place }: Tools): Promise<ProducedFile['content'] | undefined> {
  if (!(await shared.exists())) return undefined;
  return inEmptyFolder(place.work, async () => {
    const pipe = await comparedPipe(join(place.work, place.dataName), shared.path);
    if (pipe === undefined) return undefined;
    try {
      const compiled = await compileGraph(thread, job, place);
      return (await pipe.finish()) ? await kept(job, compiled, place) : undefined;
    } catch (error) {
      // A cancelled call may still be on its way to the pipe, and would wait for a reader for ever.
      await thread.idle();
      await pipe.finish();
      throw error;
    }
  });
}

async function compileWithData(job: Job, { thread, shared, place }: Tools): Promise<ProducedFile['content']> {
  return inEmptyFolder(place.work, async () => {
    const compiled = await compileGraph(thread, job, place);
    const data = join(place.work, place.dataName);
    const size = (await stat(data).catch(() => undefined))?.size ?? 0;
    const needed = neededBytes(readExternalEntries(compiled));
    if (size < needed) {
      await requireRoom(place);
      throw failed(job.name, undefined, `its data file has ${size} of ${needed} bytes`);
    }
    const bytes = await shared.add(compiled, data);
    return bytes === compiled ? kept(job, compiled, place) : { bytes: job.aside.restore(bytes) };
  });
}

/** The graph as ONNX Runtime wrote it, which is moved and not written again, or with the weights that were set aside. */
async function kept({ name, aside }: Job, compiled: Uint8Array, place: Place): Promise<ProducedFile['content']> {
  if (aside.locations.length > 0) return { bytes: aside.restore(compiled) };
  const path = join(dirname(place.work), `${name}.onnx`);
  await rename(join(place.work, COMPILED), path);
  return { path };
}

async function inEmptyFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  await mkdir(folder);
  try {
    return await work();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compileGraph(thread: SessionThread, { name, aside, root }: Job, place: Place): Promise<Uint8Array> {
  const model = editExternalEntries(aside.graph, (entries) => new Map(entries).set('location', root.locations.get(entries.get('location') ?? '') ?? ''));
  const use = { kind: 'compile', graph: join(place.work, COMPILED), data: place.dataName, prepack: place.prepack } as const;
  try {
    await thread.open(name, { model, folder: root.folder, threads: 1, use });
  } catch (cause) {
    await requireRoom(place);
    throw failed(name, cause);
  }
  return new Uint8Array(await readFile(use.graph));
}

/** ONNX Runtime does not say why it could not write, so the disk is asked: this write fails as its own did. */
async function requireRoom({ work }: Place): Promise<void> {
  await writeFile(join(work, 'room'), new Uint8Array(ROOM_BYTES));
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
