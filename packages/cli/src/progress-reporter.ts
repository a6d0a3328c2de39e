/** A reporter that writes to a stream: messages as lines, progress as a bar in a terminal and as milestones elsewhere. */
import { ProgressDisplay, type Reporter, type Terminal } from '@tundish/diagnostics';
import { terminalOf } from './environment.js';

/** How often the display is asked whether time alone changed it, in milliseconds. */
const TICK_IN_TERMINAL = 100;
const TICK_ELSEWHERE = 1000;

export interface ProgressReporter extends Reporter {
  /** Removes an unfinished bar; to be called when the work is over, however it ended. */
  close(): void;
}

/** @param terminal the one behind `write`; without it only whole lines are written, and no escape codes */
export function progressReporter(write: (text: string) => void, terminal?: Terminal): ProgressReporter {
  const display = new ProgressDisplay(terminal);
  let timer: NodeJS.Timeout | undefined;
  const emit = (text: string): void => {
    if (text !== '') write(text);
    if (display.busy === (timer !== undefined)) return;
    if (timer !== undefined) timer = void clearInterval(timer);
    else timer = setInterval(() => emit(display.tick(performance.now())), terminal === undefined ? TICK_ELSEWHERE : TICK_IN_TERMINAL).unref();
  };
  return {
    info: (message) => emit(display.message(message)),
    warn: (message) => emit(display.message(`warning: ${message}`)),
    progress: (progress) => emit(display.update(progress, performance.now())),
    close: () => emit(display.close()),
  };
}

/** For a stream of this process that nobody else draws on. */
export function streamReporter(stream: NodeJS.WriteStream): ProgressReporter {
  return progressReporter((text) => void stream.write(text), terminalOf(stream));
}
