/** Where a command writes: the terminal, a pipe, or the output of an Nx task. */
import type { Terminal } from '@tundish/diagnostics';
import { terminalOf } from './environment.js';
import { type ProgressReporter, progressReporter } from './progress-reporter.js';

export interface Io {
  /** Results: what a script reads. */
  out(text: string): void;
  /** Messages for people. */
  err(text: string): void;
  /** The terminal behind `err`; absent when it is a pipe or a file. */
  readonly terminal?: Terminal | undefined;
}

/** The streams of this process. */
export const processIo: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  get terminal() {
    return terminalOf(process.stderr);
  },
};

/** Messages and progress of stages, for people: results stay alone on `out`. */
export function ioReporter(io: Io): ProgressReporter {
  return progressReporter((text) => io.err(text), io.terminal);
}
