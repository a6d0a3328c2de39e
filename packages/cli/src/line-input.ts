/** Lines from a person at a terminal or from a pipe; Ctrl-C of a terminal stops the answer, or leaves. */
import { type Interface, createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';

const PROMPT = '> ';
const SHOW_CURSOR = '\u001b[?25h';
const HINT = '(Ctrl-C again leaves; so do Ctrl-D and /exit)\n';

/**
 * At a terminal, readline reads the keyboard raw: Ctrl-C arrives as a key and no process gets a signal, neither this one nor one
 * that started it. Keys that are pressed during an answer are not shown, but kept for the next line.
 */
export class LineInput {
  /** Whether a person types. */
  readonly interactive: boolean;
  readonly #reader: Interface;
  readonly #lines: AsyncIterator<string>;
  readonly #screen: PromptScreen | undefined;
  #waiting = 0;
  #pressed = false;
  #interrupted = false;
  #closed = false;
  #answer: AbortController | undefined;

  constructor({ stdin, stdout, stderr }: Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr'>) {
    const screen = [stdout, stderr].find((stream) => stream.isTTY);
    this.interactive = stdin.isTTY && screen !== undefined;
    this.#screen = this.interactive && screen !== undefined ? new PromptScreen(screen) : undefined;
    this.#reader = createInterface({ input: stdin, ...(this.#screen === undefined ? {} : { output: this.#screen }), terminal: this.interactive, prompt: PROMPT, crlfDelay: Infinity });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    this.#reader.on('line', () => this.#onLine());
    this.#reader.on('close', () => (this.#closed = true));
    if (this.interactive) this.#reader.on('SIGINT', () => this.#onInterrupt());
    // Nx hides the cursor while its tasks run.
    this.#screen?.write(SHOW_CURSOR);
  }

  /** Whether the input ended because a person pressed Ctrl-C. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** The next line; undefined when there is none any more. */
  async next(): Promise<string | undefined> {
    const typedAhead = this.#waiting > 0;
    this.#show(true);
    if (this.interactive && !typedAhead && !this.#closed) this.#reader.prompt(true);
    const { done, value } = await this.#lines.next();
    this.#pressed = false;
    if (done === true) {
      this.#screen?.write('\n');
      return undefined;
    }
    this.#waiting--;
    if (typedAhead) this.#screen?.write(`${PROMPT}${value}\n`);
    this.#show(false);
    return value;
  }

  /** Does something that Ctrl-C stops. */
  async interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#answer = new AbortController();
    try {
      return await work(this.#answer.signal);
    } finally {
      this.#answer = undefined;
    }
  }

  /** Ends the input and gives the terminal back as it was. */
  close(): void {
    this.#reader.close();
  }

  #onLine(): void {
    this.#waiting++;
    // A pasted text has further lines in the same breath; each is shown when its turn comes.
    this.#show(false);
  }

  #onInterrupt(): void {
    if (this.#answer !== undefined) return this.#answer.abort();
    if (this.#reader.line !== '') {
      this.#pressed = false;
      for (const name of ['e', 'u']) this.#reader.write(null, { ctrl: true, name });
      return;
    }
    if (this.#pressed) {
      this.#interrupted = true;
      return this.close();
    }
    this.#pressed = true;
    this.#screen?.write(`\n${HINT}`);
    this.#reader.prompt();
  }

  #show(shown: boolean): void {
    if (this.#screen !== undefined) this.#screen.shown = shown;
  }
}

/** Where readline draws: the terminal, or nowhere while an answer is being written. */
class PromptScreen extends Writable {
  shown = true;
  readonly #terminal: WriteStream;

  constructor(terminal: WriteStream) {
    super();
    this.#terminal = terminal;
    terminal.on('resize', () => this.emit('resize'));
  }

  /** Readline breaks lines by it. */
  get columns(): number {
    return this.#terminal.columns;
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    if (this.shown) this.#terminal.write(chunk);
    done();
  }
}
