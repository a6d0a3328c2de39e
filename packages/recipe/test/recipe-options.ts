/** The options of a recipe as the schema has them, so that tests of all of them cover those that are yet to come. */
import { recipeSchema } from '../src/index.js';
import { z } from 'zod';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
  readonly default?: unknown;
}

/** One option: its dotted path, and its default when it has one of its own. */
export interface Option {
  readonly path: string;
  readonly default?: unknown;
}

/** Leaves of the recipe; a word that stands in place of a section (`quantize: none`) is one too, under the section's path. */
export function recipeOptions(): Option[] {
  return leaves('', z.toJSONSchema(recipeSchema, { io: 'input' }) as Schema);
}

function leaves(path: string, schema: Schema): Option[] {
  const { properties, anyOf } = schema;
  if (anyOf !== undefined) return anyOf.flatMap((choice) => leaves(path, choice));
  if (properties !== undefined) return Object.entries(properties).flatMap(([key, child]) => leaves(path === '' ? key : `${path}.${key}`, child));
  return [{ path, ...(schema.default === undefined ? {} : { default: schema.default }) }];
}
