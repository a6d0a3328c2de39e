/** What a part is compiled with, as the lock says it. */
import { type Chip, chipByName } from '@tundish/recipe/chips';
import type { QnnGraphOptions } from '@tundish/native/qnn';

/** Options of one part for one chip. */
export interface PartOptions {
  readonly chip: Chip;
  readonly weightSharing: boolean;
  readonly graph: QnnGraphOptions & { readonly optimization: 1 | 2 | 3; readonly vtcmMegabytes: number };
}

/** @param options of the compile request: `chip`, `vtcmMb`, `weightSharing`, `optimizationLevel`, `dlbc`, perhaps `hvxThreads` @throws RECIPE_CHIP_UNKNOWN */
export function partOptions(options: Readonly<Record<string, unknown>>): PartOptions {
  const { chip, vtcmMb, weightSharing, optimizationLevel, dlbc, hvxThreads } = options as { chip: string; vtcmMb: number; weightSharing: boolean; optimizationLevel: 1 | 2 | 3; dlbc: boolean; hvxThreads?: number };
  return {
    chip: chipByName(chip),
    weightSharing,
    graph: { optimization: optimizationLevel, vtcmMegabytes: vtcmMb, ...(dlbc ? { dlbc: 1 } : {}), ...(hvxThreads === undefined ? {} : { hvxThreads }) },
  };
}
