/** Prints what a stage says. Nx stores these bytes and replays them on a cache hit, so frames are drawn on terminals only. */
import type { Progress, Reporter } from '@tundish/diagnostics';

const FRAME_MILLISECONDS = 500;
const MILESTONE_MILLISECONDS = 10_000;

/** @param close removes the unfinished progress line */
export function consoleReporter(out: NodeJS.WriteStream): Reporter & { close(): void } {
  const inPlace = out.isTTY;
  let shownAt = Date.now();
  let frameOpen = false;
  const clear = (): void => {
    if (frameOpen) out.write('\r\u001b[K');
    frameOpen = false;
  };
  const line = (text: string): void => {
    clear();
    out.write(`${text}\n`);
  };
  return {
    info: line,
    warn: (message) => line(`warning: ${message}`),
    progress: ({ label, done, total }: Progress) => {
      const now = Date.now();
      if (now - shownAt < (inPlace ? FRAME_MILLISECONDS : MILESTONE_MILLISECONDS)) return;
      shownAt = now;
      if (!inPlace) return line(`${done} of ${total} ${label}`);
      out.write(`\r\u001b[K${done} of ${total} ${label}`);
      frameOpen = true;
    },
    close: clear,
  };
}
