/** The chips alone: loads neither the schema library nor that of YAML. */
export { LARGEST_BINARY, chipLimits } from './chip.js';
export type { Chip, ChipLimits, DeviceSystem } from './chip.js';
export { chipByName, chipBySoc } from './find-chip.js';
export { CHIPS } from './table.js';
