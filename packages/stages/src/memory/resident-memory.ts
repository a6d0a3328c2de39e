/** Resident memory now of this process and of those that it started: the vendor's compiler works in one of its own. */
import { readFileSync, readdirSync } from 'node:fs';

/** Bytes. What others started is known on Linux alone; pages that several processes share count for each of them. */
export function residentMemory(): number {
  return process.memoryUsage.rss() + startedBy('self');
}

function startedBy(id: string): number {
  return childrenOf(id).reduce((sum, child) => sum + residentOf(child) + startedBy(child), 0);
}

/** proc(5), /proc/pid/task/tid/children: of every thread, since any may start a process. */
function childrenOf(id: string): string[] {
  try {
    return readdirSync(`/proc/${id}/task`).flatMap((thread) => readFileSync(`/proc/${id}/task/${thread}/children`, 'utf8').match(/\d+/g) ?? []);
  } catch {
    // It has ended, or the system does not tell.
    return [];
  }
}

function residentOf(id: string): number {
  try {
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
