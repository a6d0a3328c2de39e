/** Reads recipe.yaml, or remembers what it says: the parsers take longer to load than most commands to run. */
import { join } from 'node:path';
import { type PlainRecipe, RECIPE_PARSER, type RecipeFile, recipeFileOf } from '@tundish/recipe/resolve';
import { sha256 } from '@tundish/store';
import type { CodeDigests } from './code/code-digests.js';
import { readMemo, writeMemo } from './memo-file.js';

export interface RememberedRecipeRequest {
  /** Where recipe.yaml lies, for messages. */
  readonly path: string;
  readonly cacheRoot: string;
  readonly code: CodeDigests;
  /** False leaves what is remembered in the cache as it is. */
  readonly remember: boolean;
}

/**
 * What `parseRecipe` gives, remembered in `recipes.json` in the cache by the digests of the bytes and of the code that reads them.
 *
 * @throws the errors of `parseRecipe`
 */
export async function rememberedRecipe(bytes: Uint8Array, { path, cacheRoot, code, remember }: RememberedRecipeRequest): Promise<RecipeFile> {
  const memo = join(cacheRoot, 'recipes.json');
  const key = sha256(`${await code.digest([RECIPE_PARSER])} ${sha256(bytes)}`);
  const known = readMemo<PlainRecipe>(memo);
  const plain = known.get(key);
  if (plain !== undefined) return recipeFileOf(plain, path);
  const { parseRecipe } = await import('@tundish/recipe');
  const file = parseRecipe(bytes, path);
  // A store that cannot be written still serves: the next process parses again.
  if (remember) await writeMemo(memo, [...known, [key, file.plain()]]).catch(() => undefined);
  return file;
}
