/** Where bytes live: content-addressed blobs, the action cache, digests, manifests. */
export {};
