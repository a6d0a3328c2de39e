/** A checked recipe with the places of its keys; as plain data too, so that a cache can keep what parsing gave. */
import { type KeyPath, type Position, nearestPosition } from './key-position.js';
import type { Recipe } from './schema.js';

export interface RecipeFile {
  readonly recipe: Recipe;
  /** Where it comes from, for messages. */
  readonly path: string;
  /** Where a key of the recipe stands, or its nearest parent. */
  locate(key: KeyPath): Position;
  /** For `recipeFileOf`: JSON can hold it. */
  plain(): PlainRecipe;
}

export interface PlainRecipe {
  readonly recipe: Recipe;
  readonly positions: readonly (readonly [id: string, position: Position])[];
}

/** What `parseRecipe` gave for the bytes that `plain` is of. */
export function recipeFileOf(plain: PlainRecipe, path: string): RecipeFile {
  const positions = new Map(plain.positions);
  return { recipe: plain.recipe, path, locate: (key) => nearestPosition(key, (id) => positions.get(id)), plain: () => plain };
}
