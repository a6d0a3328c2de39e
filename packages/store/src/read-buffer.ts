/** Memory for bytes of files. */

/**
 * Large memory of the C library begins 16 bytes behind a page. Where the kernel copies from the start of a page to such an
 * address, AMD's Zen 3 moves a few bytes at a time (`rep movsb`): 2 to 3 GB/s; to a cache line, 7 to 12.
 */
const TO_CACHE_LINE = 48;

/** What file after file is read into, holding whatever memory held; aligned for elements of any width. */
export function readBuffer(length: number): Buffer<ArrayBuffer> {
  return Buffer.allocUnsafeSlow(TO_CACHE_LINE + length).subarray(TO_CACHE_LINE) as Buffer<ArrayBuffer>;
}
