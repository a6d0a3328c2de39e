/** Inputs on which a compiled graph is executed once: codes that look like no pattern, the same at every time. */
import type { QnnData } from '@tundish/native/qnn';
import type { QnnGraphPlan } from '../compose/plan.js';
import { ELEMENT_CODES } from '../inspection/element-types.js';

/** Token ids that every vocabulary has. */
const IDS = 4;

/** By name, dense and row-major. */
export function sampleInputs({ inputs }: QnnGraphPlan): Record<string, QnnData> {
  let state = 1;
  // Lehmer's generator with the multiplier of Park and Miller.
  const next = (): number => (state = (state * 48_271) % 2_147_483_647);
  return Object.fromEntries(inputs.map(({ name, element, dims }) => {
    const count = dims.reduce((product, dim) => product * dim, 1);
    if (element === ELEMENT_CODES.INT_32) return [name, Int32Array.from({ length: count }, (_, i) => i % IDS)];
    const data = element === ELEMENT_CODES.UFIXED_POINT_8 ? new Uint8Array(count) : new Uint16Array(count);
    // Half floats from 1 to 2, of either sign: their sums stay small.
    const bits = element === ELEMENT_CODES.FLOAT_16 ? (word: number): number => (word & 0x83ff) | 0x3c00 : (word: number): number => word;
    for (let i = 0; i < count; i++) data[i] = bits(next() >> 8);
    return [name, data];
  }));
}
