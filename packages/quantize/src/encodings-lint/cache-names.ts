/** Names of the values through which the KV cache enters and leaves a graph, whole or one head of it. */

const CACHE = /^past_(key|value)_(\d+)_(in|out)(?:_sha_(\d+))?$/;

export function isCacheValue(name: string): boolean {
  return CACHE.test(name);
}

export function isCacheOutput(name: string): boolean {
  return CACHE.exec(name)?.[3] === 'out';
}

/** `past_key_3` for every value of that cache, so that one buffer has one name. */
export function cacheBuffer(name: string): string | undefined {
  const found = CACHE.exec(name);
  return found === null ? undefined : `past_${found[1]}_${found[2]}`;
}

/** Index of the head that a cache value is; undefined for a whole cache. */
export function cacheHead(name: string): number | undefined {
  const head = CACHE.exec(name)?.[4];
  return head === undefined ? undefined : Number(head);
}
