/**
 * What a machine that lost its power lost with it. Bodies are not synced one by one, which would make an upload as slow as the
 * disk: after a restart of the machine those that came last before it are digested instead, and the wrong ones removed.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { sha256File } from '@tundish/store';
import { bodyPath, recordPath } from './layout.js';
import { readRecord } from './record.js';
import type { FoundEntry } from './scan.js';

/** Systems write what they hold back within half a minute; a slow disk may be some minutes behind. */
const RECENT_MS = 5 * 60_000;

/** The entries that do not have the bytes that were stored. Those of a machine that has not restarted since are not read. */
export async function entriesLostAtRestart<Entry extends FoundEntry>(root: string, found: readonly Entry[]): Promise<Entry[]> {
  if (!hasRestarted(`${root}/boot-id`)) return [];
  const stored = found.map((entry) => ({ entry, at: statSync(recordPath(root, entry.name)).mtimeMs }));
  const last = stored.reduce((latest, { at }) => Math.max(latest, at), 0);
  const lost: Entry[] = [];
  for (const { entry, at } of stored) {
    if (at < last - RECENT_MS) continue;
    const record = await readRecord(recordPath(root, entry.name));
    if (record?.size !== entry.size || record.sha256 !== (await sha256File(bodyPath(root, entry.name)))) lost.push(entry);
  }
  return lost;
}

/** Whether the machine has started since the last call; true where the system does not tell, false at the first call. */
function hasRestarted(path: string): boolean {
  const now = bootId();
  const before = readFileSync(path, { encoding: 'utf8', flag: 'a+' });
  writeFileSync(path, now);
  return before !== '' && (now === 'unknown' || before !== now);
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
