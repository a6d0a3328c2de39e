/** gc: removes from the store what no model of the workspace needs and nobody has used lately. */
import { relative } from 'node:path';
import { formatBytes } from '@tundish/diagnostics';
import { gcRoots } from '@tundish/stages/gc';
import { type GcReport, collectGarbage } from '@tundish/store/gc';
import { cacheRootOf } from '../environment.js';
import type { Io } from '../io.js';

export interface GcOptions {
  /** The first one says where the store is; the models of all are roots. */
  readonly workspaceRoots: readonly [string, ...string[]];
  readonly keepDays: number;
  readonly maxBytes?: number;
  readonly dryRun: boolean;
  readonly json: boolean;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Names of a kind that are listed; the rest is counted. */
const SHOWN = 20;

/** @returns exit code: 1 when what must stay is larger than `maxBytes` */
export async function gcCommand(options: GcOptions, io: Io): Promise<number> {
  const { workspaceRoots, keepDays, maxBytes, dryRun } = options;
  const root = cacheRootOf(workspaceRoots[0]);
  const report = await collectGarbage({ root, roots: gcRoots(workspaceRoots), keepMs: keepDays * DAY_MS, dryRun, now: Date.now(), ...(maxBytes === undefined ? {} : { maxBytes }) });
  const fits = maxBytes === undefined || report.keptBytes <= maxBytes;
  io.out(options.json ? `${JSON.stringify({ root, dryRun, fits, ...report }, null, 2)}\n` : describe(report, options, root, fits));
  return fits ? 0 : 1;
}

function describe(report: GcReport, { dryRun, maxBytes }: GcOptions, root: string, fits: boolean): string {
  const place = (path: string): string => relative(root, path);
  const lines = [
    ...listed('entry', report.entries.map(place)),
    ...listed('import', report.imports.map(place)),
    ...listed('temporary', report.temporaries.map(place)),
    `${dryRun ? 'would free' : 'freed'} ${formatBytes(report.freedBytes)}: ${report.entries.length} entries, ${report.blobs.length} blobs, ${report.imports.length} imports, ${report.temporaries.length} temporary files`,
    `${dryRun ? 'would keep' : 'kept'} ${formatBytes(report.keptBytes)}: ${report.keptEntries} entries, in ${root}`,
    ...(fits ? [] : [`what models need and what was used in the last hour is larger than ${formatBytes(maxBytes ?? 0)}: build fewer models here, or delete their out and artifacts folders`]),
  ];
  return `${lines.join('\n')}\n`;
}

function listed(kind: string, names: readonly string[]): string[] {
  const more = names.length > SHOWN ? [`${kind}  and ${names.length - SHOWN} more (--json lists all)`] : [];
  return [...names.slice(0, SHOWN).map((name) => `${kind}  ${name}`), ...more];
}
