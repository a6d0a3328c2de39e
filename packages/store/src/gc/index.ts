/** Garbage collection: an entry of its own, since it needs no schema library and every command would load it. */
export { collectGarbage } from './collect-garbage.js';
export type { GcReport, GcRequest } from './collect-garbage.js';
export type { GcRoots } from './plan-collection.js';
export { manifestRefs } from './scan-store.js';
// What roots are computed with.
export { canonicalJson } from '../canonical-json.js';
export { sha256 } from '../sha256.js';
