/** One thing that `doctor` looked at. */
export interface Finding {
  /** What was looked at: `node`, `native kernels`. */
  readonly name: string;
  /** `problem` stops builds, `warning` makes them slow or may stop them, `ok` is as it should be. */
  readonly status: 'ok' | 'warning' | 'problem';
  readonly value: string;
  /** What to do; for everything that is not ok. */
  readonly fix?: string;
}

/** A finding about something that is as it should be, or is not. */
export function finding(name: string, value: string, trouble?: { readonly status: 'warning' | 'problem'; readonly fix: string }): Finding {
  return trouble === undefined ? { name, status: 'ok', value } : { name, value, ...trouble };
}
