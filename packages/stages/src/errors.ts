/** Error codes of the stages package. */
import { declareErrors } from '@tundish/diagnostics';

export const stageError = declareErrors({
  STAGE_OUTPUT_UNKNOWN: 'A stage asks for a file that the stage before it did not make.',
  STAGE_INPUT_MISSING: 'A stage has not run that this one needs.',
  STAGE_REQUIRES: 'The input of a stage does not have the form that the stage needs.',
  STAGE_ENSURES: 'A stage made a result that breaks its own promise; nothing was kept.',
  STAGE_REBUILD_DIFFERS: 'A stage that was run again gave other bytes than its manifest names.',
  STAGE_SUBJECT_UNKNOWN: 'The lock file knows no cell, part or pair of this name.',
  STAGE_MODEL_UNKNOWN: 'A word names no model project of the workspace.',
  STAGE_TARGET: 'A word is not a target of the form MODEL:STAGE, or names no unit of the model.',
  STAGE_IMPORT_MISSING: 'A GGUF file has not been imported, and nothing may be written.',
  STAGE_REPLAY_IMPOSSIBLE: 'A cache entry does not say how it was made, or is no result of a stage.',
  STAGE_ROOT_UNREADABLE: 'Garbage collection cannot read what a model needs; nothing was removed.',
  STAGE_RECIPE_MISSING: 'A model has no recipe.yaml.',
  STAGE_LOCK_MISSING: 'A model has no recipe.lock.json.',
  STAGE_SOURCE_MISSING: 'The file that the recipe names as its checkpoint is not there.',
  STAGE_SOURCE_CHANGED: 'A file of the checkpoint is not the one that the lock file pins.',
  STAGE_CODE: 'The code of a stage cannot be followed from import to import.',
  STAGE_TOOL_DIFFERS: 'The installed toolchain is not the one that the lock file pins.',
  PREFLIGHT_BLOCK_SIZE: 'The toolchain cannot compile the block size that the recipe asks for.',
  PREFLIGHT_GRAPHS: 'A part would hold more graphs than the toolchain takes.',
  PREFLIGHT_PART_SIZE: 'A part would be larger than the toolchain takes.',
  PREFLIGHT_MEMORY: 'A stage needs more memory than this machine has, or has free.',
  PREFLIGHT_MAX_MEMORY: 'A stage needs more memory than --max-memory allows.',
  PREFLIGHT_DISK: 'The build will write more than the disk of the cache has left.',
  PREFLIGHT_SOURCE: 'The checkpoint is not on this machine, or not whole, so that nothing can be said of what the build needs.',
});
