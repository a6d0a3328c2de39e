/** Time, memory and bytes of this process, as the operating system counts them. */
import { readFileSync } from 'node:fs';
import { processPeak } from '../memory/measure-memory.js';
import type { ByteCounts } from './event.js';

/** Totals since the process began. */
export interface ProcessUsage {
  /** Milliseconds on a clock that only goes forward, zero when the process began. */
  readonly now: number;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  readonly bytes: ByteCounts;
}

/** @param stored bytes that the store added, which stand in where the system tells nothing */
export function processUsage(stored: number): ProcessUsage {
  const { user, system } = process.cpuUsage();
  return {
    now: performance.now(),
    cpuSeconds: (user + system) / 1e6,
    rssBytes: process.memoryUsage.rss(),
    peakRssBytes: processPeak(),
    bytes: systemBytes() ?? { accounting: 'own', written: stored },
  };
}

/** CPU time of all threads since an earlier `process.cpuUsage()`. */
export function cpuSecondsSince(earlier: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(earlier);
  return (user + system) / 1e6;
}

/** proc(5), /proc/pid/io: Linux only, and not where it is hidden. */
function systemBytes(): ByteCounts | undefined {
  try {
    const counts = new Map(readFileSync('/proc/self/io', 'utf8').split('\n').map((line) => line.split(': ') as [string, string]));
    const count = (name: string): number => Number(counts.get(name));
    return { accounting: 'system', read: count('rchar'), written: count('wchar'), diskRead: count('read_bytes'), diskWritten: count('write_bytes') };
  } catch {
    return undefined;
  }
}

/** What was moved between two readings of one process. */
export function bytesBetween(before: ByteCounts, after: ByteCounts): ByteCounts {
  if (before.accounting === 'own' || after.accounting === 'own') return { accounting: 'own', written: after.written - before.written };
  return { accounting: 'system', read: after.read - before.read, written: after.written - before.written, diskRead: after.diskRead - before.diskRead, diskWritten: after.diskWritten - before.diskWritten };
}
