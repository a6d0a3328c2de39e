/** What this machine has to give: memory with the limits of its control groups, and disk. */
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';

export interface MachineRoom {
  /** Memory that this process could have if it were alone, bytes. */
  readonly memoryTotal: number;
  /** Memory that is free now or can be freed at once, bytes. */
  readonly memoryAvailable: number;
  /** Bytes that this user may still write to the disk of the cache. */
  readonly diskAvailable: number;
}

/** @param folder may not exist yet: its nearest folder that does says what there is */
export async function machineRoom(folder: string): Promise<MachineRoom> {
  const group = controlGroup();
  const diskAvailable = await diskRoom(folder);
  const available = meminfo('MemAvailable') ?? freemem();
  if (group === undefined) return { memoryTotal: totalmem(), memoryAvailable: available, diskAvailable };
  return { memoryTotal: Math.min(totalmem(), group.limit), memoryAvailable: Math.min(available, Math.max(0, group.limit - group.used)), diskAvailable };
}

async function diskRoom(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw error;
    return diskRoom(dirname(folder));
  }
}

/** Linux control group, version 2 or 1. Cached files count as used there, though they give way: they are taken off. */
function controlGroup(): { readonly limit: number; readonly used: number } | undefined {
  for (const [limitFile, usedFile, statFile] of [
    ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory.current', '/sys/fs/cgroup/memory.stat'],
    ['/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory/memory.usage_in_bytes', '/sys/fs/cgroup/memory/memory.stat'],
  ] as const) {
    const limit = Number(textOf(limitFile));
    const used = Number(textOf(usedFile));
    if (!(limit > 0) || !Number.isFinite(limit) || !Number.isFinite(used)) continue;
    const cached = Number(/^(?:total_)?inactive_file (\d+)$/m.exec(textOf(statFile) ?? '')?.[1] ?? 0);
    return { limit, used: used - cached };
  }
  return undefined;
}

function meminfo(field: string): number | undefined {
  const found = new RegExp(`^${field}: +(\\d+) kB$`, 'm').exec(textOf('/proc/meminfo') ?? '');
  return found === null ? undefined : Number(found[1]) * 1024;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
