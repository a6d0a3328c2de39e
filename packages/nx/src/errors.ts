/** Error codes of the Nx plugin. */
import { declareErrors } from '@tundish/diagnostics';

export const nxError = declareErrors({
  NX_LOCK_STALE: 'In CI, a recipe.lock.json does not say what its recipe says.',
  NX_LOCK_MISSING: 'A target ran although its model has no readable recipe.lock.json.',
  NX_PLAN_OUTDATED: 'The recipe changed its cells or parts while Nx was starting.',
  NX_OPTION: 'An option of the plugin, an executor or a generator is not valid.',
  NX_MODEL_EXISTS: 'A generator would overwrite a model project.',
  NX_CI_CHANGED: 'A generator would overwrite a CI file that was edited by hand.',
  NX_CHECKPOINT_NOT_FOUND: 'A generator was given a checkpoint that is neither a folder nor a hub id.',
  NX_NOT_ACCEPTED: 'The runtime of a device does not accept a bundle, or gives other tokens than ours.',
  NX_UNEXPECTED: 'A defect of Tundish: the message and the stack say where.',
  NX_CANCELLED: 'A task was stopped before it was done.',
  NX_EVENTS_STREAM: 'The events of an Nx run are asked for on a stream.',
});
