/** Which calibration windows decide choices and are never learned from. */
import { HELD_OUT_EVERY } from '@tundish/recipe/technique';

/** Whether any of `count` windows is held out. */
export function anyHeldOut(count: number): boolean {
  return count >= HELD_OUT_EVERY;
}

/** Whether window `index` of `count` is held out. */
export function isHeldOut(index: number, count: number): boolean {
  return anyHeldOut(count) && index % HELD_OUT_EVERY === HELD_OUT_EVERY - 1;
}

/** The windows that choices are judged by: those held out, all where none are. */
export function judgingWindows(count: number): number[] {
  const all = Array.from({ length: count }, (_, index) => index);
  return anyHeldOut(count) ? all.filter((index) => isHeldOut(index, count)) : all;
}
