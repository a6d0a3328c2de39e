/** What a stage may say while it works. Stages never print: a surface gives them a reporter. */

/** A unit of work inside a stage, for example one decoder block. */
export interface Progress {
  /** What is being counted, in the plural: `blocks`, `windows`. */
  readonly label: string;
  readonly done: number;
  readonly total: number;
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
