/** How long a remote cache may be silent. */

/** Milliseconds. */
export interface Deadlines {
  /** Until an answer begins. */
  readonly answer: number;
  /** Between two pieces of a body, in either direction. */
  readonly idle: number;
  /** After the last byte of an upload: the other side may have to write gigabytes to its disk. */
  readonly settle: number;
}

export const DEADLINES: Deadlines = { answer: 5000, idle: 15_000, settle: 60_000 };
