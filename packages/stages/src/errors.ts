/** Error codes of the stages package. */
import { declareErrors } from '@tundish/diagnostics';

export const stageError = declareErrors({
  STAGE_OUTPUT_UNKNOWN: 'A stage asks for a file that the stage before it did not make.',
  STAGE_INPUT_MISSING: 'A stage has not run that this one needs.',
  STAGE_REQUIRES: 'The input of a stage does not have the form that the stage needs.',
  STAGE_ENSURES: 'A stage made a result that breaks its own promise; nothing was kept.',
  STAGE_REBUILD_DIFFERS: 'A stage that was run again gave other bytes than its manifest names.',
  STAGE_SUBJECT_UNKNOWN: 'The lock file knows no cell, part or pair of this name.',
  STAGE_RECIPE_MISSING: 'A model has no recipe.yaml.',
  STAGE_LOCK_MISSING: 'A model has no recipe.lock.json.',
  STAGE_SOURCE_MISSING: 'The file that the recipe names as its checkpoint is not there.',
  STAGE_SOURCE_CHANGED: 'A file of the checkpoint is not the one that the lock file pins.',
  STAGE_CODE: 'The code of a stage cannot be followed from import to import.',
  STAGE_CUSTOM_MISSING: 'A recipe names a stage whose file or package is not there.',
  STAGE_CUSTOM_LOAD: 'The module of a custom stage cannot be loaded.',
  STAGE_CUSTOM_EXPORT: 'The module of a custom stage does not export one.',
  STAGE_CUSTOM_NAME: 'A custom stage has a name that it cannot have, or that another one has.',
  STAGE_CUSTOM_OPTIONS: 'The options of a custom stage are not what its schema asks for.',
  STAGE_CUSTOM_CHANGED: 'The code of a custom stage is not that which the lock file pins.',
  STAGE_CUSTOM_FAILED: 'A custom stage threw an error; nothing was kept.',
  STAGE_CUSTOM_RESULT: 'A custom stage gave something that is no graph with its weights; nothing was kept.',
  STAGE_TOOL_DIFFERS: 'The installed toolchain is not the one that the lock file pins.',
});
