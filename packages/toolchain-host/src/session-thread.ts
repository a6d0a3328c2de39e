/** A worker thread that holds ONNX Runtime sessions, seen from the caller: promises in, no hang when the thread dies. */
import { Worker } from 'node:worker_threads';
import type { TensorData } from '@tundish/toolchain';
import { hostError } from './errors.js';
import { type Command, type Feed, type Reply, type Request, type SessionSpec, isShared, ownedBuffers } from './worker-protocol.js';

// From src under a test runner and from dist alike, this is the compiled worker.
const ENTRY = new URL('../dist/session-worker.js', import.meta.url);

interface Pending {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

/** Calls are answered in the order in which they were made. */
export class SessionThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  /** Buffers that inputs are copied into, by session and input: a call hands them over and gets them back. */
  readonly #staging = new Map<string, ArrayBuffer>();
  #lastId = 0;
  #ended: Error | undefined;
  #end: Promise<void> | undefined;
  readonly #exited: Promise<void>;

  /** @param entry the program of the thread */
  constructor(entry: URL = ENTRY) {
    this.#worker = new Worker(entry, { execArgv: [] });
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (cause) => this.#fail(died(cause.message, cause)));
    this.#worker.on('exit', (code) => this.#fail(died(`exit code ${code}`)));
    this.#exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.unref();
  }

  /** @throws HOST_SESSION_FAILED, HOST_WORKER_DIED */
  async open(session: string, spec: SessionSpec): Promise<void> {
    const { failure } = await this.#call({ kind: 'open', session, spec });
    if (failure !== undefined) throw hostError('HOST_SESSION_FAILED', { what: `ONNX Runtime cannot open ${session}`, evidence: { stderr: lastLines(failure) } });
  }

  /**
   * Inputs in shared memory are read where they lie, others copied once; outputs are new arrays.
   *
   * @throws HOST_RUN_FAILED, HOST_WORKER_DIED
   */
  async run(session: string, inputs: readonly Feed[], fetches: readonly string[]): Promise<Map<string, TensorData>> {
    const feeds = inputs.map((input) => (isShared(input) ? input : this.#stage(session, input)));
    const reply = await this.#call({ kind: 'run', session, feeds, fetches }, ownedBuffers(feeds));
    for (const { name, data } of reply.returned ?? []) if (!isShared({ data })) this.#staging.set(`${session} ${name}`, data.buffer as ArrayBuffer);
    if (reply.failure === undefined) return new Map((reply.outputs ?? []).map(({ name, data }) => [name, data]));
    throw hostError('HOST_RUN_FAILED', { what: `ONNX Runtime failed to run ${session}`, evidence: { stderr: lastLines(reply.failure) } });
  }

  /** Releases all sessions and ends the thread; calls that are still open fail. */
  async close(): Promise<void> {
    await this.kill(hostError('HOST_CLOSED', { what: 'the part has been closed' }));
  }

  /**
   * Rejects all calls at once and ends the thread when the native call in progress has returned: a thread that is torn down
   * inside ONNX Runtime takes the whole process with it.
   */
  async kill(reason: Error): Promise<void> {
    if (this.#end === undefined) {
      this.#fail(reason);
      this.#end = this.#endWhenIdle();
    }
    // A second kill only waits: to fail all calls once more would answer the question whether the thread is idle, too soon.
    await this.#end;
  }

  /** Waits for the native call that `kill` left running, if any. */
  async idle(): Promise<void> {
    await this.#end;
  }

  async #endWhenIdle(): Promise<void> {
    this.#worker.ref();
    const id = ++this.#lastId;
    const idle = new Promise<void>((resolve) => this.#pending.set(id, { resolve: () => resolve(), reject: () => resolve() }));
    this.#worker.postMessage({ id, command: { kind: 'close' } } satisfies Request);
    await Promise.race([idle, this.#exited]);
    await this.#worker.terminate();
  }

  #stage(session: string, { name, dims, data }: Feed): Feed {
    const key = `${session} ${name}`;
    const known = this.#staging.get(key);
    this.#staging.delete(key);
    const buffer = known?.byteLength === data.byteLength ? known : new ArrayBuffer(data.byteLength);
    new Uint8Array(buffer).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return { name, dims, data: typedLike(data, buffer) };
  }

  #call(command: Command, transfer: ArrayBuffer[] = []): Promise<Reply> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, command } satisfies Request, transfer);
    });
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#worker.unref();
    pending?.resolve(reply);
  }

  #fail(error: Error): void {
    this.#ended ??= error;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}

function typedLike(data: TensorData, buffer: ArrayBuffer): TensorData {
  if (data instanceof Float32Array) return new Float32Array(buffer);
  if (data instanceof Uint16Array) return new Uint16Array(buffer);
  return data instanceof Int32Array ? new Int32Array(buffer) : new Uint8Array(buffer);
}

function lastLines(text: string): string[] {
  return text.trim().split('\n').slice(-5);
}

function died(why: string, cause?: unknown): Error {
  return hostError('HOST_WORKER_DIED', { what: 'the thread that runs the graphs ended', why, fix: 'look for out-of-memory messages of the system', cause });
}
