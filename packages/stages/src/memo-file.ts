/** What a process found out and the next one need not find out again: a map by digests, in a file of the cache that any damage only empties. */
import { readFileSync } from 'node:fs';
import { sha256, writeFileAtomic } from '@tundish/store';

/** Oldest entries beyond this are forgotten. */
const MAX_KEPT = 256;

/** `<sha256 of the next line>\n<json>\n`; empty when the file is not there or damaged. */
export function readMemo<Value>(path: string): Map<string, Value> {
  try {
    const [checksum, body = ''] = readFileSync(path, 'utf8').split('\n');
    return sha256(body) === checksum ? new Map(JSON.parse(body) as [string, Value][]) : new Map();
  } catch {
    return new Map();
  }
}

/** @param entries oldest first */
export async function writeMemo(path: string, entries: Iterable<readonly [string, unknown]>): Promise<void> {
  const body = JSON.stringify([...entries].slice(-MAX_KEPT));
  await writeFileAtomic(path, `${sha256(body)}\n${body}\n`);
}
