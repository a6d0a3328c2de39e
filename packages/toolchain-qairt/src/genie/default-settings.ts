/** Settings where a recipe says nothing. */
import { GENIE_ENGINE } from '@tundish/container';
import { type Chip, type DeviceSystem, chipLimits } from '@tundish/recipe/chips';
import type { CompileSettings, DeviceSettings } from './bundle-plan.js';

/** All of the chip's memory: the compiler's own default of 4 MiB is less than most chips have. */
export function defaultCompileSettings(chip: Chip): CompileSettings {
  return { vtcmMb: chip.vtcmMb, optimization: 3, dlbc: false, weightSharing: chipLimits(chip).weightSharing };
}

/** @param model name of the model, the last step of the folder on the device */
export function defaultDeviceSettings(chip: Chip, model: string, system: DeviceSystem = chip.system): DeviceSettings {
  // Mapped files of this size fail on Windows.
  const engine = system === 'windows' ? { ...GENIE_ENGINE, useMmap: false } : GENIE_ENGINE;
  const root = system === 'android' ? '/data/local/tmp' : '/opt';
  return { profile: 'burst', domain: 'unsigned', engine, system, folder: `${root}/${model.replaceAll(/[^A-Za-z0-9._-]/g, '_')}` };
}
