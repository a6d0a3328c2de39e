/** Error codes of recipes and their lock files. */
import { declareErrors } from '@tundish/diagnostics';

export const recipeError = declareErrors({
  RECIPE_NOT_UTF8: 'The recipe is not valid UTF-8',
  RECIPE_EMPTY: 'The recipe is empty',
  RECIPE_NOT_A_MAPPING: 'The recipe is a scalar or a list instead of a mapping',
  RECIPE_YAML: 'The recipe is not valid YAML',
  RECIPE_DOCUMENTS: 'The recipe file holds more than one YAML document',
  RECIPE_DIRECTIVE: 'The recipe uses a YAML directive',
  RECIPE_TAG: 'The recipe uses a YAML tag',
  RECIPE_MERGE_KEY: 'The recipe uses the YAML 1.1 merge key',
  RECIPE_ALIAS: 'The recipe has a YAML alias without an anchor, or inside its own anchor',
  RECIPE_DUPLICATE_KEY: 'The recipe gives one key twice',
  RECIPE_KEY: 'The recipe has a key that is not text',
  RECIPE_NUMBER: 'The recipe has a number that cannot be represented exactly or is not finite',
  RECIPE_TOO_DEEP: 'The recipe is nested too deeply',
  RECIPE_TOO_LARGE: 'The recipe is too large, or becomes so when its aliases are expanded',
  RECIPE_UNKNOWN_KEY: 'The recipe has a key that no option has',
  RECIPE_VALUE: 'An option of the recipe has a value of the wrong type or range',
  RECIPE_GRAPHS: 'The AR and CL lists of the recipe cannot be built together',
  RECIPE_CL_ABOVE_MODEL: 'A context length exceeds the positions that the model was made for',
  RECIPE_PARTS_ABOVE_LAYERS: 'The recipe asks for more parts than the model has layers',
  RECIPE_CALIBRATION_MISSING: 'A quantized build has no calibration text',
  RECIPE_SOURCE_MISSING: 'A file of a model that was quantized elsewhere is not there',
  RECIPE_LOCK_JSON: 'The lock file is not JSON',
  RECIPE_LOCK_SCHEMA: 'The lock file was written by another version of Tundish',
  RECIPE_LOCK_INVALID: 'The lock file does not have the expected form',
});
