/** Every error code of the package; each part declares its own. */
export { chipError } from './chips/errors.js';
export { bundleError } from './genie/errors.js';
export { composeError } from './compose/errors.js';
export { qairtError } from './libraries/errors.js';
