/** What is known of a chip, and what its Hexagon version allows. */
import type { DEVICE_SYSTEMS } from '../known-values.js';

/** Operating system that the chip's devices usually run; decides which libraries go onto them. */
export type DeviceSystem = (typeof DEVICE_SYSTEMS)[number];

/** One SoC id. Chips of several names that share the id are one entry: the compiler cannot tell them apart. */
export interface Chip {
  /** `SM8750`. */
  readonly name: string;
  /** Other chips of the same id, and the names that people use. Matched without regard to case, spaces, hyphens and the word Snapdragon. */
  readonly aliases: readonly string[];
  /** The number that selects the chip (`soc_model`); not the `ro.soc` id of Android. */
  readonly socModel: number;
  /** Hexagon version: 79 for v79. */
  readonly hexagon: number;
  /** Tightly coupled memory of the processor, MiB. */
  readonly vtcmMb: number;
  readonly system: DeviceSystem;
}

/** What can be compiled for a Hexagon version. */
export interface ChipLimits {
  /** 4-bit weights with integer scales per block. */
  readonly lpbq: boolean;
  /** Graphs of one context binary share their weights. */
  readonly weightSharing: boolean;
  /** Products of two uint16 activations; 8-bit projections and mixed products are exact to a few steps only where this holds. */
  readonly matMul16By16: boolean;
  /** int16 weights of projections. */
  readonly weights16: boolean;
  /** Every operator and encoding of the composer was compiled and executed. */
  readonly operatorsProven: boolean;
}

/** Largest context binary that a device maps, bytes. */
export const LARGEST_BINARY = 2 * 2 ** 30;

/**
 * Limits of a chip. LPBQ from v69 and weight sharing, 16-bit products and 16-bit weights from v73: public documentation, and for v68
 * and v73 to v81 also what the compiler of QAIRT 2.51 accepts and refuses.
 */
export function chipLimits(chip: Chip): ChipLimits {
  const v73 = chip.hexagon >= 73;
  return { lpbq: chip.hexagon >= 69, weightSharing: v73, matMul16By16: v73, weights16: v73, operatorsProven: v73 };
}
