/** Where a command writes: the terminal, a pipe, or the output of an Nx task. */
import type { Reporter } from '@tundish/diagnostics';

export interface Io {
  /** Results: what a script reads. */
  out(text: string): void;
  /** Messages for people. */
  err(text: string): void;
}

/** The streams of this process. */
export const processIo: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

/** Messages of stages as lines for people; progress is left to surfaces that can redraw. */
export function ioReporter(io: Io): Reporter {
  return {
    info: (message) => io.err(`${message}\n`),
    warn: (message) => io.err(`warning: ${message}\n`),
    progress: () => undefined,
  };
}
