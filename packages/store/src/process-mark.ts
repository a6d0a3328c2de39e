/** Marks in names of incomplete files: which process of which machine is writing. */
import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { errnoOf } from './errors.js';
import { sha256 } from './sha256.js';

/** `<pid>-<place>-<random>`; in names of an older form the place is missing. */
const SUFFIX = /^(\d+)-(?:([0-9a-f]{8})-)?/;

let ownPlace: string | undefined;

/** Unique among processes and calls. */
export function uniqueSuffix(): string {
  return `${process.pid}-${place()}-${randomBytes(6).toString('hex')}`;
}

/** The process of a name that begins with a `uniqueSuffix`; undefined for any other name. */
export function makerOf(name: string): { readonly isRunning: boolean; readonly isOfThisMachine: boolean } | undefined {
  const [, pid, madeAt] = SUFFIX.exec(name) ?? [];
  return pid === undefined ? undefined : { isRunning: isRunning(Number(pid)), isOfThisMachine: madeAt === place() };
}

/** Where process ids mean the same: one start of one machine, and there one container. */
function place(): string {
  return (ownPlace ??= sha256(describePlace()).slice(0, 8));
}

function describePlace(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}
