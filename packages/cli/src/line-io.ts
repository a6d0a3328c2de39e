/** Output for a pipe of Nx, which ends every piece that it is given with a line break: only whole lines may leave. */
import type { Io } from './io.js';

/** Wraps `io` so that results are written line by line; `flush` writes what is left. */
export function lineIo(io: Io): Io & { flush(): void } {
  let held = '';
  const release = (until: number): void => {
    if (until > 0) io.out(held.slice(0, until));
    held = held.slice(until);
  };
  return {
    out: (text) => {
      held += text;
      release(held.lastIndexOf('\n') + 1);
    },
    err: (text) => io.err(text),
    terminal: io.terminal,
    flush: () => release(held.length),
  };
}
