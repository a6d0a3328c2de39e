/** Holds files against their digests, each file once however many names it has. */
import { type Stats, statSync } from 'node:fs';
import { type Reporter, messageOf, printable } from '@tundish/diagnostics';
import type { BlobRef } from '../manifest.js';
import { sha256File } from '../sha256.js';

/** Something that is not as it should be. */
export interface Damage {
  readonly path: string;
  readonly what: string;
  /** What to do about it. */
  readonly fix: string;
}

/** A file whose bytes must have a digest. */
export interface FileCheck extends BlobRef {
  readonly path: string;
  /** What the file is, for messages: `blob`, `weights of the checkpoint`. */
  readonly of: string;
  readonly fix: string;
}

export interface CheckedFiles {
  readonly damage: readonly Damage[];
  /** Files that were read: a file under several names counts once. */
  readonly files: number;
  readonly bytes: number;
}

/** Reads every file, in the order given. @throws the reason of `signal` when it is aborted */
export async function checkFiles(checks: readonly FileCheck[], reporter: Reporter, signal: AbortSignal): Promise<CheckedFiles> {
  const found = checks.map((check) => ({ check, stats: statOf(check.path) }));
  const damage: Damage[] = [];
  const digests = new Map<string, string>();
  const unique = new Map(found.flatMap(({ stats }) => (stats === undefined ? [] : [[identity(stats), stats.size] as const])));
  const total = [...unique.values()].reduce((sum, size) => sum + size, 0);
  let bytes = 0;
  for (const { check, stats } of found) {
    const what = stats === undefined ? `${check.of} is not there` : stats.size !== check.size ? `${check.of} has ${stats.size} bytes instead of ${check.size}` : undefined;
    if (what !== undefined || stats === undefined) {
      damage.push({ path: check.path, what: what ?? '', fix: check.fix });
      continue;
    }
    reporter.progress({ work: 'verify', label: 'files', done: digests.size, total: unique.size, bytes: { done: bytes, total } });
    try {
      const known = digests.get(identity(stats));
      const digest = known ?? (await sha256File(check.path, signal));
      if (known === undefined) bytes += stats.size;
      digests.set(identity(stats), digest);
      if (digest !== check.sha256) damage.push({ path: check.path, what: `${check.of} holds other bytes: its sha256 is ${digest}, it should be ${check.sha256}`, fix: check.fix });
    } catch (error) {
      signal.throwIfAborted();
      damage.push({ path: check.path, what: `${check.of} cannot be read: ${printable(messageOf(error).split('\n', 1)[0] ?? '')}`, fix: check.fix });
    }
  }
  reporter.progress({ work: 'verify', label: 'files', done: unique.size, total: unique.size, bytes: { done: total, total } });
  return { damage, files: digests.size, bytes };
}

function statOf(path: string): Stats | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats : undefined;
}

function identity({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}
