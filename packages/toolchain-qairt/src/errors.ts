/** Every error code of the package; each part declares its own. */
export { bundleError } from './genie/errors.js';
export { composeError } from './compose/errors.js';
export { exportError } from './export/errors.js';
export { qairtError } from './libraries/errors.js';
