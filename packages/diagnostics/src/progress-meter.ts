/** How fast a work goes: smoothed rates from its reports and the times at which they came. */
import type { Progress } from './reporter.js';

/** Reports further back than this many milliseconds hardly count. */
const MEMORY_MS = 10_000;

/** Reports that come closer together are taken as one. */
const SAMPLE_MS = 100;

/** Exponentially weighted sum of a rate per millisecond, and of its weights: their quotient has no bias towards 0 at the start. */
interface Smoothed {
  readonly sum: number;
  readonly weight: number;
}

/** One work between its first and its last report. Times are milliseconds of one clock. */
export interface ProgressMeter {
  readonly progress: Progress;
  readonly startedAt: number;
  /** The report that was last taken into the rates. */
  readonly sample: { readonly at: number; readonly share: number; readonly bytes: number };
  readonly share: Smoothed;
  readonly bytes: Smoothed;
}

const NOTHING: Smoothed = { sum: 0, weight: 0 };

export function startMeter(progress: Progress, now: number): ProgressMeter {
  return { progress, startedAt: now, sample: { at: now, share: shareDone(progress), bytes: progress.bytes?.done ?? 0 }, share: NOTHING, bytes: NOTHING };
}

/** The meter after one more report of the same work; a report without advance changes no rate. */
export function advanceMeter(meter: ProgressMeter, progress: Progress, now: number): ProgressMeter {
  const { sample } = meter;
  const elapsed = now - sample.at;
  const next = { at: now, share: shareDone(progress), bytes: progress.bytes?.done ?? 0 };
  if (elapsed < SAMPLE_MS || (next.share <= sample.share && next.bytes <= sample.bytes)) return { ...meter, progress };
  return {
    ...meter,
    progress,
    sample: next,
    share: smooth(meter.share, next.share - sample.share, elapsed),
    bytes: smooth(meter.bytes, next.bytes - sample.bytes, elapsed),
  };
}

function smooth({ sum, weight }: Smoothed, gained: number, elapsed: number): Smoothed {
  const kept = Math.exp(-elapsed / MEMORY_MS);
  return { sum: sum * kept + (1 - kept) * (gained / elapsed), weight: weight * kept + (1 - kept) };
}

/** From 0 to 1. */
export function shareDone({ done, total, bytes }: Progress): number {
  const [part, whole] = bytes?.total === undefined ? [done, total] : [bytes.done, bytes.total];
  return whole > 0 ? Math.min(1, part / whole) : 0;
}

/** Undefined when the work counts no bytes, or none have come. */
export function bytesPerSecond({ bytes }: ProgressMeter): number | undefined {
  return bytes.sum > 0 ? (1000 * bytes.sum) / bytes.weight : undefined;
}

/** Undefined until the first advance. Between two reports the estimate runs down, to a second at least. */
export function secondsLeft({ share, sample }: ProgressMeter, now: number): number | undefined {
  if (share.sum <= 0) return undefined;
  const milliseconds = ((1 - sample.share) * share.weight) / share.sum - (now - sample.at);
  return Math.max(1, milliseconds / 1000);
}
