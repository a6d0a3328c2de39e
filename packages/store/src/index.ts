/** Where bytes live: content-addressed blobs, stage manifests, action keys and the action cache. */
export { openActionCache } from './action-cache.js';
export type { ActionCache, ActionInfo, ActionResult } from './action-cache.js';
export { actionKey } from './action-key.js';
export type { ActionInputs, ActionKey, ToolIdentity } from './action-key.js';
export { canonicalJson, leafDifferences, leavesOf } from './canonical-json.js';
export type { JsonValue, LeafDifference } from './canonical-json.js';
export { writeFileAtomic } from './durable-write.js';
export { diskError } from './errors.js';
export { openFileDigests } from './file-digests.js';
export type { FileDigests } from './file-digests.js';
export { MANIFEST_SCHEMA, decodeManifest, encodeManifest, manifestDigest, readManifest } from './manifest.js';
export type { BlobRef, StageExternal, StageManifest, StageOutput } from './manifest.js';
export { placeFolder } from './place-folder.js';
export { uniqueSuffix } from './process-mark.js';
export { isSha256, sha256, sha256File } from './sha256.js';
export { openStore } from './store.js';
export type { PutFileOptions, Store } from './store.js';
export { removeAbandoned } from './temporary-folder.js';
