/** What a stage may say while it works. Stages never print: a surface gives them a reporter. */

/** How far a work has come. The last report of a work has `done` equal to `total`, which ends it. */
export interface Progress {
  /** What is being done, in one word: `quantize`, `download`. Reports of one work have one name. */
  readonly work: string;
  /** What is being counted, in the plural: `blocks`, `windows`. */
  readonly label: string;
  /** Finished ones; 0 announces the work. */
  readonly done: number;
  readonly total: number;
  /** Bytes read or written so far; with `total` they say better than `done` what share is finished. */
  readonly bytes?: { readonly done: number; readonly total?: number };
}

/** Receives messages and progress; every method may be called from any depth and must not throw. */
export interface Reporter {
  info(message: string): void;
  warn(message: string): void;
  progress(progress: Progress): void;
}

/** A reporter that drops everything: the default of library calls. */
export const silentReporter: Reporter = {
  info: () => undefined,
  warn: () => undefined,
  progress: () => undefined,
};

/** A reporter that keeps what it is told, for tests and for reports that are written later. */
export function recordingReporter(): Reporter & { readonly infos: string[]; readonly warnings: string[] } {
  const infos: string[] = [];
  const warnings: string[] = [];
  return {
    infos,
    warnings,
    info: (message) => void infos.push(message),
    warn: (message) => void warnings.push(message),
    progress: () => undefined,
  };
}
