/** Whether two encodings give every code the same real number, however their files spell it. */
import { axisFromFront } from './block-layout.js';
import type { BlockLayout, TensorEncoding } from './document.js';

/**
 * Signedness of the codes and the word on symmetry do not count, since a file of another version derives them. A layout
 * or an axis counts where both encodings have one; an axis from the back equals any axis, its rank being unknown.
 */
export function isSameEncoding(a: TensorEncoding, b: TensorEncoding): boolean {
  if (a.kind === 'float') return b.kind === 'float' && a.bits === b.bits;
  if (a.kind === 'lpbq') {
    return b.kind === 'lpbq' && a.bits === b.bits && a.decompressedBits === b.decompressedBits && a.blockSize === b.blockSize
      && isSameList(a.channelScale, b.channelScale) && isSameList(a.blockScale, b.blockScale) && isSameLayout(a.layout, b.layout);
  }
  if (b.kind === 'float' || b.kind === 'lpbq' || a.grid.bits !== b.grid.bits) return false;
  if (a.kind === 'per-tensor') return b.kind === 'per-tensor' && a.scale === b.scale && a.zeroPoint === b.zeroPoint && isSameList(a.headScales ?? [], b.headScales ?? []);
  if (b.kind === 'per-tensor' || !isSameList(a.scale, b.scale) || !isSameList(a.zeroPoint, b.zeroPoint)) return false;
  if (a.kind === 'per-channel') return b.kind === 'per-channel' && isSameAxis(a.axis, b.axis);
  return b.kind === 'per-block' && a.blockSize === b.blockSize && isSameLayout(a.layout, b.layout);
}

function isSameList(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.prototype.every.call(a, (value, i) => value === b[i]);
}

function isSameAxis(a: number | undefined, b: number | undefined): boolean {
  return a === undefined || b === undefined || a === b || a < 0 || b < 0;
}

function isSameLayout(a: BlockLayout | undefined, b: BlockLayout | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  const rank = a.shape.length;
  return a.shape.join() === b.shape.join() && axisFromFront(a.blockAxis, rank) === axisFromFront(b.blockAxis, rank) && axisFromFront(a.channelAxis, rank) === axisFromFront(b.channelAxis, rank);
}
