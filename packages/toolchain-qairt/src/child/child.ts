/** The parent's side: a process that may hang, crash or be cancelled in place of ours. */
import { type ChildProcess, fork } from 'node:child_process';
import { type TundishError, messageOf, printable } from '@tundish/diagnostics';
import { qairtError } from '../libraries/errors.js';
import { DIALOG_DEADLINE_MS } from './dialog-calls.js';
import { failureError } from './failure.js';
import { OutputTail } from './output-tail.js';
import { type CallName, type Calls, DEADLINE_MS, PROTOCOL, isReply } from './protocol.js';

export interface ChildOptions {
  /** Its working folder; that of this process when absent. */
  readonly folder?: string;
  /** Folders that the loader searches for libraries that name no folder of their own. */
  readonly searchFolders?: readonly string[];
  /** Aborting kills the process, whatever it does. */
  readonly signal?: AbortSignal;
  /** Variables that the process gets; it has no others. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The module that answers; that of this package when absent. */
  readonly program?: URL;
}

export interface CallOptions {
  /** Default: DEADLINE_MS of the call. */
  readonly deadlineMs?: number;
  /** What is worked on, for messages. */
  readonly subject?: string;
}

interface Pending {
  readonly call: CallName;
  readonly subject: string | undefined;
  readonly timer: NodeJS.Timeout;
  settle(output: unknown): void;
  fail(error: unknown): void;
}

const SHOWN_LINES = 12;
/** For the last words of a process that has ended. What it started may keep its pipes open for ever. */
const DRAIN_MS = 1000;

/** One process; when it is gone, every call fails with the reason. Calls are answered in the order in which they are made. */
export class Child {
  readonly #process: ChildProcess;
  readonly #tail = new OutputTail();
  readonly #pending = new Map<number, Pending>();
  readonly #gone: Promise<void>;
  readonly #signal: AbortSignal | undefined;
  #nextId = 1;
  #end: TundishError | undefined;

  constructor({ folder, searchFolders = [], signal, environment = {}, program = new URL('./main.js', import.meta.url) }: ChildOptions = {}) {
    this.#signal = signal;
    // No options of our own process: a debugger's port or a test runner's loader has no business there.
    this.#process = fork(program, [], {
      ...(folder === undefined ? {} : { cwd: folder }), serialization: 'advanced', execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...environment, ...(searchFolders.length === 0 ? {} : { LD_LIBRARY_PATH: searchFolders.join(':') }) },
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => this.#tail.add(text));
    this.#gone = new Promise((resolve) => {
      this.#process.once('close', (code, deadly) => {
        this.#finish(this.#end ?? this.#endOf(code, deadly));
        resolve();
      });
      this.#process.once('exit', () => this.#letGo());
      this.#process.once('error', (error) => {
        this.#finish(qairtError('QAIRT_CRASHED', { what: 'the process that calls the vendor\'s libraries cannot be started', why: error.message }));
        if (this.#process.pid === undefined) resolve();
      });
    });
    this.#process.on('message', (message) => this.#receive(message));
    signal?.addEventListener('abort', this.#cancel, { once: true });
    if (signal?.aborted === true) this.#cancel();
  }

  /** Of the process; undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /**
   * @throws QAIRT_CANCELLED, QAIRT_DEADLINE, QAIRT_CRASHED, QAIRT_KILLED, QAIRT_CLOSED and QAIRT_CHILD_PROTOCOL, after which the
   *   process is gone; QAIRT_ARGUMENT and what the library's refusals are mapped to, after which it is not
   */
  call<Name extends CallName>(call: Name, input: Calls[Name]['input'], { deadlineMs = DEADLINE_MS[call], subject }: CallOptions = {}): Promise<Calls[Name]['output']> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end);
      const id = this.#nextId++;
      const timer = setTimeout(() => this.#kill(this.#late(call, subject, deadlineMs)), deadlineMs);
      this.#pending.set(id, { call, subject, timer, settle: (output) => resolve(output as Calls[Name]['output']), fail: reject });
      try {
        // A request that does not arrive is no failure of its own: the process is ending, and says why, or meets the deadline.
        this.#process.send({ protocol: PROTOCOL, id, call, input }, () => undefined);
      } catch (error) {
        this.#pending.delete(id);
        clearTimeout(timer);
        reject(qairtError('QAIRT_ARGUMENT', { what: `${call} cannot be asked for`, why: messageOf(error) }));
      }
    });
  }

  /** Ends the process and waits until it is gone. Calls that wait fail. */
  async close(): Promise<void> {
    this.#kill(qairtError('QAIRT_CLOSED', { what: 'the process that calls the vendor\'s libraries has been closed' }));
    await this.#gone;
  }

  readonly #cancel = (): void => this.#kill(qairtError('QAIRT_CANCELLED', { what: 'the work was cancelled', cause: this.#signal?.reason }));

  /** Calls fail when the process is gone, not before: nobody finds its files open. */
  #kill(reason: TundishError): void {
    this.#end ??= reason;
    this.#process.kill('SIGKILL');
  }

  #letGo(): void {
    const { stdout, stderr } = this.#process;
    // Behind a turn of the event loop, which reads what is there.
    const timer = setTimeout(() => setImmediate(() => [stdout, stderr].forEach((stream) => stream?.destroy())), DRAIN_MS);
    this.#process.once('close', () => clearTimeout(timer));
  }

  #receive(message: unknown): void {
    const waiting = isReply(message) ? this.#pending.get(message.id) : undefined;
    if (!isReply(message) || waiting === undefined) {
      return this.#kill(qairtError('QAIRT_CHILD_PROTOCOL', { what: 'the process that calls the vendor\'s libraries answered something that it was not asked', evidence: { stderr: this.#tail.lines(SHOWN_LINES) } }));
    }
    this.#pending.delete(message.id);
    clearTimeout(waiting.timer);
    // What was printed before the answer lies in its pipe: it is read in this round of events, and the next belongs to another call.
    setImmediate(() => {
      const printed = this.#tail.takeNew();
      if ('failure' in message) waiting.fail(failureError(message.failure, { log: message.log, printed }, waiting.subject));
      else waiting.settle(message.output);
    });
  }

  #finish(reason: TundishError): void {
    this.#end = reason;
    this.#signal?.removeEventListener('abort', this.#cancel);
    for (const { timer, fail } of this.#pending.values()) {
      clearTimeout(timer);
      fail(reason);
    }
    this.#pending.clear();
  }

  #late(call: CallName, subject: string | undefined, deadlineMs: number): TundishError {
    return qairtError('QAIRT_DEADLINE', {
      what: `${call}${subject === undefined ? '' : ` of ${printable(subject)}`} took longer than ${deadlineMs / 1000} s`,
      evidence: { stderr: this.#tail.lines(SHOWN_LINES) },
      fix: 'cut the model into smaller parts, or use a faster machine',
    });
  }

  #endOf(code: number | null, deadly: NodeJS.Signals | null): TundishError {
    const [waiting] = this.#pending.values();
    const during = waiting === undefined ? '' : ` in ${waiting.call}${waiting.subject === undefined ? '' : ` of ${printable(waiting.subject)}`}`;
    const evidence = { stderr: this.#tail.lines(SHOWN_LINES) };
    if (deadly === 'SIGKILL') return qairtError('QAIRT_KILLED', { what: `the process that calls the vendor's libraries was killed${during}`, why: 'nobody here did that: mostly the kernel does, when memory runs out', evidence, fix: 'give the machine more memory, or cut the model into more parts' });
    const why = deadly === null ? `exit code ${code}` : `signal ${deadly}`;
    return qairtError('QAIRT_CRASHED', { what: `the vendor's library ended its process${during}`, why, evidence, ...(waiting !== undefined && waiting.call in DIALOG_DEADLINE_MS ? { fix: 'docs/genie-runtime.md names what ends the process of a dialog' } : {}) });
  }
}

/** A process for the time of one work. */
export async function withChild<T>(options: ChildOptions, work: (child: Child) => Promise<T>): Promise<T> {
  const child = new Child(options);
  try {
    return await work(child);
  } finally {
    await child.close();
  }
}
