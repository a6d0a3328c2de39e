/** verify: reads everything that a model's manifests reach, or the whole store, and lists what is damaged. */
import { formatBytes, printable } from '@tundish/diagnostics';
import { reachOf } from '@tundish/stages/pipeline';
import { findModel } from '@tundish/stages/workspace';
import { type Damage, type VerifyReport, type VerifyRequest, verifyEntries, wholeStore } from '@tundish/store';
import { cacheRootOf, hubCacheOf } from '../environment.js';
import { type Io, ioReporter } from '../io.js';

export interface VerifyOptions {
  /** Folder or name of a model; the whole store without it. */
  readonly model?: string;
  readonly workspaceRoot: string;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** @returns exit code: 1 when something is damaged */
export async function verifyCommand(options: VerifyOptions, io: Io): Promise<number> {
  const { workspaceRoot, model, signal } = options;
  const root = cacheRootOf(workspaceRoot);
  const { damage: seen, ...what } = await subjectOf(options, root);
  const reporter = ioReporter(io);
  const report = await verifyEntries({ root, ...what, reporter, signal }).finally(() => reporter.close());
  const damage = [...seen, ...report.damage];
  io.out(options.json ? `${JSON.stringify({ root, model: model ?? null, ...report, damage }, null, 2)}\n` : describe({ ...report, damage }));
  return damage.length === 0 ? 0 : 1;
}

type Subject = Pick<VerifyRequest, 'entries' | 'blobs' | 'files'> & { readonly damage: readonly Damage[] };

async function subjectOf({ workspaceRoot, model }: VerifyOptions, cacheRoot: string): Promise<Subject> {
  if (model === undefined) return { ...wholeStore(cacheRoot), files: [] };
  return reachOf({ workspaceRoot, modelRoot: findModel(workspaceRoot, model).root, cacheRoot, hubCache: hubCacheOf() });
}

function describe({ damage, files, bytes, entries, absent }: VerifyReport): string {
  const lines = damage.flatMap(({ path, what, fix }) => [`damaged  ${printable(path, 1000)}`, `  what: ${printable(what, 1000)}`, `  fix:  ${printable(fix, 4000)}`]);
  const elsewhere = absent === 0 ? [] : [`${absent} files of entries are not here: they are fetched or made again when something reads them`];
  return `${[...lines, ...elsewhere, `read ${files} files, ${formatBytes(bytes)}, of ${entries} cache entries: ${damage.length === 0 ? 'nothing is damaged' : `${damage.length} damaged`}`].join('\n')}\n`;
}
