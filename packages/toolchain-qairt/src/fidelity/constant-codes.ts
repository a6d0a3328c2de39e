/** Codes of a constant of a plan, from memory or from its weight file, as the operation gets them. */
import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf, printable } from '@tundish/diagnostics';
import type { QnnData, QnnFileRange } from '@tundish/native/qnn';
import { type WeightPaths, constantData } from '../compose/compose-into.js';
import type { PlannedData, PlannedTensor } from '../compose/plan.js';
import { ELEMENT_CODES, elementsOf } from '../inspection/element-types.js';
import { qairtError } from '../libraries/errors.js';

/** @throws QAIRT_FILE */
export function constantCodes({ name, element }: Pick<PlannedTensor, 'name' | 'element'>, planned: PlannedData, paths: WeightPaths): QnnData {
  try {
    const data = constantData(planned, paths);
    if ('path' in data) return elementsOf(readRange(data), element);
    return data instanceof Uint8Array ? elementsOf(data, element) : data;
  } catch (error) {
    throw qairtError('QAIRT_FILE', { what: `the constant ${printable(name)} cannot be read`, why: messageOf(error), cause: error });
  }
}

/** Integers of the blocks of a weight, [channel][block]; undefined where it has none. @throws QAIRT_FILE */
export function blockScales({ name, quantization }: PlannedTensor, paths: WeightPaths): Uint8Array | undefined {
  if (quantization?.kind !== 'blockwise') return undefined;
  return constantCodes({ name: `${name}, scales of blocks`, element: ELEMENT_CODES.UINT_8 }, { stored: quantization.blockScales }, paths) as Uint8Array;
}

function readRange({ path, offset, bytes }: QnnFileRange): Uint8Array {
  const buffer = new Uint8Array(bytes);
  const descriptor = openSync(path, 'r');
  try {
    for (let filled = 0; filled < bytes; ) {
      const count = readSync(descriptor, buffer, filled, bytes - filled, offset + filled);
      if (count === 0) throw new Error(`the file ends inside it, after ${offset + filled} bytes`);
      filled += count;
    }
    return buffer;
  } finally {
    closeSync(descriptor);
  }
}
