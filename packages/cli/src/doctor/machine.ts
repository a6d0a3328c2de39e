/** The machine: processor, memory, and the disk that holds the cache. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { formatBytes } from '@tundish/diagnostics';
import { cachedModels, entryFolders } from '@tundish/store';
import { type Finding, finding } from './finding.js';

/** A model of 1B parameters needs about as much for all its stages. */
const FEW_BYTES_OF_DISK = 5e9;
/** Quantizing holds one decoder block and its activations. */
const FEW_BYTES_OF_MEMORY = 2e9;

export function processorFinding(): Finding {
  return finding('processor', `${(cpus()[0]?.model ?? process.arch).trim()}, ${availableParallelism()} threads, ${process.platform}-${process.arch}`);
}

export function memoryFinding(): Finding {
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  const available = Math.min(total, availableMemory() ?? total);
  const text = `${formatBytes(available)} of ${formatBytes(total)} available`;
  return finding('memory', text, available < FEW_BYTES_OF_MEMORY ? { status: 'warning', fix: `end other programs: quantizing a model of 1B parameters takes about ${formatBytes(FEW_BYTES_OF_MEMORY)}` } : undefined);
}

/** What Linux believes programs can still get, caches given up; undefined elsewhere, where "free" would count caches as used. */
function availableMemory(): number | undefined {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

/** Where the store is, whether it can be written, what is in it and what room is left. */
export function cacheFindings(root: string): Finding[] {
  const place = nearestFolder(root);
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const entries = cachedModels(root).reduce((sum, model) => sum + entryFolders(root, model).length, 0);
  return [
    finding('cache root', `${root}, ${entries} entries`, canWrite(place) ? undefined : { status: 'problem', fix: `give this user permission to write to ${place}, or set TUNDISH_CACHE_ROOT to another folder` }),
    finding('disk', `${formatBytes(free)} free at the cache root`, free < FEW_BYTES_OF_DISK ? { status: 'warning', fix: 'npx tundish gc, or set TUNDISH_CACHE_ROOT to a larger disk' } : undefined),
  ];
}

function nearestFolder(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestFolder(dirname(path));
}

function canWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
