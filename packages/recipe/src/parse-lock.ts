/** From the bytes of recipe.lock.json to a checked lock. */
import { messageOf, printable } from '@tundish/diagnostics';
import { z } from 'zod';
import { recipeError } from './errors.js';
import { lockSchema } from './lock-schema.js';
import { LOCK_SCHEMA, type Lock } from './lock.js';

/**
 * Reads the bytes of a lock file.
 *
 * @param path where the bytes come from, for messages
 * @throws RECIPE_LOCK_JSON, RECIPE_LOCK_SCHEMA, RECIPE_LOCK_INVALID
 */
export function parseLock(bytes: Uint8Array, path: string): Lock {
  const fix = 'write it again from recipe.yaml: npx nx g @tundish/nx:lock';
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw recipeError('RECIPE_LOCK_JSON', { what: 'the lock file is not JSON', why: printable(messageOf(cause)), evidence: { path }, fix, cause });
  }
  const versioned = z.object({ schema: z.number() }).safeParse(value);
  if (versioned.success && versioned.data.schema !== LOCK_SCHEMA) {
    throw recipeError('RECIPE_LOCK_SCHEMA', { what: `the lock file has schema ${versioned.data.schema}, this version reads ${LOCK_SCHEMA}`, evidence: { path }, fix });
  }
  const result = lockSchema.safeParse(value);
  if (result.success) return result.data;
  const why = result.error.issues.slice(0, 5).map((issue) => printable(`${issue.path.join('.')}: ${issue.message}`));
  throw recipeError('RECIPE_LOCK_INVALID', { what: 'the lock file does not have the expected form', why: why.join('; '), evidence: { path }, fix });
}
