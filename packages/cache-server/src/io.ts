/** Where the command writes. */

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
