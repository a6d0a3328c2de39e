/** What the windows of a calibration text are for: which are held out, and which the float model runs on. */
import { type Technique, judgesByReference, learnsMeanDifference } from './technique.js';

/** Every so-many-th window is held out, where there are as many. */
const HELD_OUT_EVERY = 8;

/** Whether any of `count` windows is held out. */
export function anyHeldOut(count: number): boolean {
  return count >= HELD_OUT_EVERY;
}

/** Whether window `index` of `count` is held out: it decides choices and is never learned from. */
export function isHeldOut(index: number, count: number): boolean {
  return anyHeldOut(count) && index % HELD_OUT_EVERY === HELD_OUT_EVERY - 1;
}

/** The windows that choices are judged by: those held out, all where none are. */
export function judgingWindows(count: number): number[] {
  const all = indices(count);
  return anyHeldOut(count) ? all.filter((index) => isHeldOut(index, count)) : all;
}

/**
 * Indices of those of `count` windows that the float model runs on where a technique needs it, rising: all, or a few where the
 * mean of how it differs is learned. With the few are those that are held out, if choices are judged by that model, and else none of them.
 */
export function floatWindows(technique: Technique, count: number): number[] {
  const all = indices(count);
  const judges = judgesByReference(technique);
  if (technique.floatWindows === 'all' || !learnsMeanDifference(technique) || (judges && !anyHeldOut(count))) return all;
  const every = Math.max(1, Math.floor(count / technique.floatWindows));
  return every === 1 ? all : all.filter((index) => (isHeldOut(index, count) ? judges : index % every === 0));
}

function indices(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
