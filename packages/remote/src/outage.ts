/** Whether a remote cache is still asked, and the warnings about it: one for all processes of a run. */
import { type Reporter, TundishError, messageOf, printable } from '@tundish/diagnostics';

/** `down`: it is asked no more. `refuses`: it takes nothing from this writer. */
export type RunMark = 'down' | 'refuses';

/** What the processes of one run tell each other. */
export interface RunMarks {
  isSet(mark: RunMark): boolean;
  /** @returns true for the first one of the run */
  set(mark: RunMark): boolean;
}

/** Of a run that is one process. */
export function marksOfProcess(): RunMarks {
  const marks = new Set<RunMark>();
  return { isSet: (mark) => marks.has(mark), set: (mark) => !marks.has(mark) && marks.add(mark).has(mark) };
}

/** So many wrong bodies are no accident. */
const MOST_WRONG = 3;

export class Outage {
  #down = false;
  #refuses = false;
  #wrong = 0;

  constructor(private readonly name: string, private readonly reporter: Reporter, private readonly marks: RunMarks) {}

  get isDown(): boolean {
    return (this.#down ||= this.marks.isSet('down'));
  }

  get refuses(): boolean {
    return (this.#refuses ||= this.marks.isSet('refuses'));
  }

  /** It cannot be reached, is too slow, or answers nonsense. */
  report(error: unknown): void {
    if (this.#down) return;
    this.#down = true;
    if (this.marks.set('down')) this.reporter.warn(`the remote cache ${this.name} is not asked again in this run: ${reasonOf(error)}; the build goes on without it`);
  }

  /** It does not take what this writer sends. */
  reportRefusal(): void {
    if (this.#refuses) return;
    this.#refuses = true;
    if (this.marks.set('refuses')) this.reporter.warn(`the remote cache ${this.name} takes nothing from this machine: its token only reads, or there is no room; what is built stays here (TUNDISH_REMOTE_CACHE_MODE=read asks for no more)`);
  }

  /** A body that is not what its name says: it counts as absent. */
  reportWrong(what: string, error: unknown): void {
    this.#wrong += 1;
    this.reporter.warn(`${what} of the remote cache ${this.name} is not what it should be and counts as absent: ${reasonOf(error)}`);
    if (this.#wrong >= MOST_WRONG) this.report(new Error(`${this.#wrong} wrong answers`));
  }
}

/** On one line. */
function reasonOf(error: unknown): string {
  if (!(error instanceof TundishError)) return printable(messageOf(error), 300);
  const { what, why } = error;
  return printable(why === undefined ? what : `${what}: ${why}`, 300);
}
