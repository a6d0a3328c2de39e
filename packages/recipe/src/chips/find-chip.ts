/** Finds a chip by any of its names or by its SoC id. */
import { type ErrorFacts, printable } from '@tundish/diagnostics';
import { recipeError } from '../errors.js';
import { nearestName } from '../nearest-name.js';
import type { Chip } from './chip.js';
import { CHIPS } from './table.js';

const BY_SOC = new Map(CHIPS.map((chip) => [chip.socModel, chip]));
const BY_NAME = new Map(CHIPS.flatMap((chip) => namesOf(chip).map((name) => [plain(name), chip] as const)));

/**
 * @param name `SM8750`, `sm8750`, `Snapdragon 8 Elite`, `snapdragon-8-elite`, `8 Elite`, `chipset:SM8750`
 * @param evidence where the name stands
 * @throws TundishError RECIPE_CHIP_UNKNOWN naming the nearest name, or all chips
 */
export function chipByName(name: string, evidence: ErrorFacts['evidence'] = {}): Chip {
  const chip = BY_NAME.get(plain(name));
  if (chip !== undefined) return chip;
  const near = nearestName(name, CHIPS.flatMap(namesOf));
  throw recipeError('RECIPE_CHIP_UNKNOWN', {
    what: `no chip is called ${printable(name, 60)}`,
    why: `known chips: ${CHIPS.map(({ name: known }) => known).join(' ')}`,
    evidence,
    fix: near === undefined ? 'Name one of the known chips.' : `Did you mean ${near}?`,
  });
}

/** @param socModel the SoC id that a context binary states */
export function chipBySoc(socModel: number): Chip | undefined {
  return BY_SOC.get(socModel);
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
