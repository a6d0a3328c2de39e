/** The progress of one work as text: a bar for a terminal, a line for a log. */
import { type ProgressMeter, bytesPerSecond, secondsLeft, shareDone } from './progress-meter.js';
import { formatBytes, formatEstimate } from './quantities.js';

/** Cells of a bar at most and at least; where fewer fit, there is none. */
const WIDEST = 30;
const NARROWEST = 5;

const GREEN = '\u001b[32m';
const PLAIN = '\u001b[39m';

/** `quantize  [#######.......] blocks 7 of 18  212 MB/s  ETA 12 s`, one column shorter than the terminal at most. */
export function progressBar(meter: ProgressMeter, now: number, { columns, color }: { readonly columns: number; readonly color: boolean }): string {
  const { work } = meter.progress;
  const left = secondsLeft(meter, now);
  const rate = bytesPerSecond(meter);
  const figures = [
    counted(meter),
    ...(rate === undefined ? [] : [`${formatBytes(rate)}/s`]),
    left === undefined ? `${elapsed(meter, now)} so far` : `ETA ${formatEstimate(left)}`,
  ].join('  ');
  const room = columns - 1 - `${work}  [] ${figures}`.length;
  if (room < NARROWEST) return `${work}  ${figures}`.slice(0, Math.max(0, columns - 1));
  const cells = Math.min(WIDEST, room);
  const full = Math.floor(cells * shareDone(meter.progress));
  const done = '#'.repeat(full);
  return `${work}  [${color ? `${GREEN}${done}${PLAIN}` : done}${'.'.repeat(cells - full)}] ${figures}`;
}

/** `quantize: blocks 7 of 18, 39 %, 212 MB/s, about 12 s left` */
export function progressLine(meter: ProgressMeter, now: number): string {
  const left = secondsLeft(meter, now);
  const rate = bytesPerSecond(meter);
  return [
    `${meter.progress.work}: ${counted(meter)}`,
    `${Math.min(99, 100 * shareDone(meter.progress)).toFixed(0)} %`,
    ...(rate === undefined ? [] : [`${formatBytes(rate)}/s`]),
    left === undefined ? `${elapsed(meter, now)} so far` : `about ${formatEstimate(left)} left`,
  ].join(', ');
}

function counted({ progress: { label, done, total } }: ProgressMeter): string {
  return `${label} ${done} of ${total}`;
}

function elapsed({ startedAt }: ProgressMeter, now: number): string {
  return formatEstimate(Math.floor((now - startedAt) / 1000));
}
