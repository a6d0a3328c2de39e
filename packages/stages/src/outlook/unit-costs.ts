/** What each unit of a model costs, by its last run here or an estimate: no key is computed, so nothing but the lock is needed. */
import type { Lock } from '@tundish/recipe/lock';
import { type Unit, unitsOf } from '../plan.js';
import { LastEntries } from './last-entries.js';
import { type Prediction, Predictor } from './predict.js';

export interface UnitCost {
  readonly unit: Unit;
  readonly prediction: Prediction;
}

/** All units, producers before consumers. @param model folder of the model in the cache */
export function unitCosts(lock: Lock, cacheRoot: string, model: string): UnitCost[] {
  const entries = new LastEntries(cacheRoot, model);
  const predictor = new Predictor(lock, entries);
  return unitsOf(lock).map((unit) => ({ unit, prediction: predictor.predict(unit, entries.ofUnit(unit)) }));
}
