/** Finds a chip by any of its names or by its SoC id. */
import { printable } from '@tundish/diagnostics';
import { nearestName } from '@tundish/recipe';
import type { Chip } from './chip.js';
import { chipError } from './errors.js';
import { CHIPS } from './table.js';

const BY_SOC = new Map(CHIPS.map((chip) => [chip.socModel, chip]));
const BY_NAME = new Map(CHIPS.flatMap((chip) => namesOf(chip).map((name) => [plain(name), chip] as const)));

/**
 * @param name `SM8750`, `sm8750`, `Snapdragon 8 Elite`, `snapdragon-8-elite`, `8 Elite`, `chipset:SM8750`
 * @throws TundishError QAIRT_CHIP_UNKNOWN naming the nearest name, or all chips
 */
export function chipByName(name: string): Chip {
  const chip = BY_NAME.get(plain(name));
  if (chip !== undefined) return chip;
  const near = nearestName(name, CHIPS.flatMap(namesOf));
  throw chipError('QAIRT_CHIP_UNKNOWN', {
    what: `no chip is called ${printable(name, 60)}`,
    why: `known chips: ${CHIPS.map(({ name: known }) => known).join(' ')}`,
    fix: near === undefined ? 'Name one of the known chips.' : `Did you mean ${near}?`,
  });
}

/**
 * @param socModel the SoC id that a context binary states
 * @throws TundishError QAIRT_CHIP_UNKNOWN
 */
export function chipBySoc(socModel: number): Chip {
  const chip = BY_SOC.get(socModel);
  if (chip !== undefined) return chip;
  const known = [...CHIPS].sort((a, b) => a.socModel - b.socModel).map((each) => `${each.socModel} ${each.name}`);
  throw chipError('QAIRT_CHIP_UNKNOWN', { what: `no chip has the SoC id ${socModel}`, why: `known ids: ${known.join(', ')}`, fix: 'Name one of the known chips.' });
}

function namesOf(chip: Chip): string[] {
  return [chip.name, ...chip.aliases];
}

/** The letters and digits of a name that tell chips apart. */
function plain(name: string): string {
  if (name.length > 100) return '';
  const letters = name.toLowerCase().replace(/^chipset:/, '').replaceAll('+', 'plus').replaceAll(/[^a-z0-9]/g, '');
  return letters.replace(/^qualcomm/, '').replace(/^(snapdragon|dragonwing)/, '').replace(/proxy$/, '');
}
