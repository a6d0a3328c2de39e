/** What a surface writes while works go on: pure, with the clock passed in, so that every surface shows the same. */
import { type ProgressMeter, advanceMeter, shareDone, startMeter } from './progress-meter.js';
import { progressBar, progressLine } from './progress-text.js';
import type { Progress } from './reporter.js';

/** Shorter work shows nothing. */
const SHOWN_AFTER_MS = 1000;
const FRAME_MS = 100;
const LINE_MS = 10_000;
const ERASE_LINE = '\r\u001b[K';

/** A terminal in which a line can be drawn again. */
export interface Terminal {
  /** Width now; it may change. */
  readonly columns: number;
  readonly color: boolean;
}

/** A work and the last line about it. */
interface Shown {
  readonly meter: ProgressMeter;
  readonly lineAt: number;
  /** Whole quarters that were done then. */
  readonly quarters: number;
}

/**
 * Every method returns the text that is to be written now, which may be empty. In a terminal that is one line, drawn in
 * place at most ten times a second and removed when the work ends. Elsewhere it is whole lines: one when a quarter of the
 * work is done, and one when none came for ten seconds. Of works inside each other the outermost is shown.
 */
export class ProgressDisplay {
  readonly #works = new Map<string, Shown>();
  #frame = '';
  #drawnAt = -Infinity;

  /** @param terminal absent where a line cannot be drawn again: a pipe, a file, a log of CI */
  constructor(private readonly terminal?: Terminal) {}

  /** True while a work goes on; `tick` has something to do only then. */
  get busy(): boolean {
    return this.#works.size > 0;
  }

  /** @param now milliseconds of any clock that only goes forward */
  update(progress: Progress, now: number): string {
    const { work, done, total } = progress;
    if (done >= total) {
      this.#works.delete(work);
      return this.busy ? '' : this.close();
    }
    const known = this.#works.get(work);
    this.#works.set(work, known === undefined ? { meter: startMeter(progress, now), lineAt: now, quarters: quartersOf(progress) } : { ...known, meter: advanceMeter(known.meter, progress, now) });
    return this.tick(now);
  }

  /** To be called now and then, since time passes without reports too. */
  tick(now: number): string {
    const [outermost] = this.#works.values();
    if (outermost === undefined || now - outermost.meter.startedAt < SHOWN_AFTER_MS) return '';
    return this.terminal === undefined ? this.#line(outermost, now) : this.#redraw(this.terminal, outermost.meter, now);
  }

  /** A message between frames; the next tick draws the frame again below it. */
  message(text: string): string {
    return `${this.#erase()}${text}\n`;
  }

  /** Forgets all works, also those that a failure left unfinished. */
  close(): string {
    this.#works.clear();
    return this.#erase();
  }

  #line({ meter, lineAt, quarters }: Shown, now: number): string {
    const reached = quartersOf(meter.progress);
    if (reached <= quarters && now - lineAt < LINE_MS) return '';
    this.#works.set(meter.progress.work, { meter, lineAt: now, quarters: reached });
    return `${progressLine(meter, now)}\n`;
  }

  #redraw(terminal: Terminal, meter: ProgressMeter, now: number): string {
    if (now - this.#drawnAt < FRAME_MS) return '';
    const frame = progressBar(meter, now, terminal);
    if (frame === this.#frame) return '';
    this.#frame = frame;
    this.#drawnAt = now;
    return `${ERASE_LINE}${frame}`;
  }

  #erase(): string {
    const drawn = this.#frame !== '';
    this.#frame = '';
    return drawn ? ERASE_LINE : '';
  }
}

function quartersOf(progress: Progress): number {
  return Math.floor(4 * shareDone(progress));
}
