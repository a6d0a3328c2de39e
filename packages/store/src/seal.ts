/**
 * Tells by one stat whether a blob was written to since it was stored: the microseconds of its modification time are taken from
 * its digest. The seconds are those of its last use for a result; whatever writes to the file sets other microseconds.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, utimesSync } from 'node:fs';
import { readBuffer } from './read-buffer.js';

const MICROSECONDS = 1_000_000;
const CHUNK_BYTES = 1 << 20;

/** The modification time of a blob used at `now`, milliseconds since 1970; in seconds, as utimes takes it. */
export function sealedTime(sha256: string, now: number): number {
  return Math.floor(now / 1000) + microsecondsOf(sha256) / MICROSECONDS;
}

export function isSealed(sha256: string, mtimeNs: bigint): boolean {
  const found = Number((mtimeNs / 1000n) % BigInt(MICROSECONDS));
  // Times pass through a double on their way to the file.
  return Math.abs(found - microsecondsOf(sha256)) <= 1;
}

/** Reads a file whose seal is broken; seals it again when its bytes are those of the digest, as after a copy of the store. */
export function resealed(path: string, sha256: string, mtimeMs: number): boolean {
  if (digestOf(path) !== sha256) return false;
  try {
    utimesSync(path, mtimeMs / 1000, sealedTime(sha256, mtimeMs));
  } catch {
    // A store of somebody else's: its bytes are right, and are read again next time.
  }
  return true;
}

/** One in the middle of a second: 0 and 999999 would be neighbours. */
function microsecondsOf(sha256: string): number {
  return 1 + (Number.parseInt(sha256.slice(0, 8), 16) % (MICROSECONDS - 2));
}

function digestOf(path: string): string {
  const hash = createHash('sha256');
  const buffer = readBuffer(CHUNK_BYTES);
  const file = openSync(path, 'r');
  try {
    for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer)) hash.update(buffer.subarray(0, count));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
