/** Every error code of the package; each part declares its own. */
export { qairtError } from './libraries/errors.js';
