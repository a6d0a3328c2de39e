/** The summary of one run: what each stage did, in the order of the pipeline. */
import { formatBytes, formatSeconds, textTable } from '@tundish/diagnostics';
import type { Lock, StageName } from '@tundish/recipe/lock';
import { type Unit, customStagesAfter, placeOf } from '@tundish/stages/lock';
import type { StageRun } from '@tundish/stages/pipeline';
import type { RemoteTraffic } from '@tundish/store';

export interface ContainerSummary {
  /** Relative to the workspace. */
  readonly folder: string;
  readonly bytes: number;
  readonly files: number;
  /** Set when steps had to run again: Nx had their manifests, and this store not their files. */
  readonly rebuilt?: { readonly steps: number; readonly bytesWritten: number };
  /** Set when the remote cache was asked for its files. */
  readonly traffic?: RemoteTraffic;
}

interface Row {
  readonly label: string;
  readonly task: string;
}

/** The task of Nx that runs a unit: `llama32:arcl` runs all pairs, `llama32/part1of2:compile` one part. */
export function taskOf(project: string, lock: Lock, { stage, subject }: Unit): string {
  return subject === null || placeOf(lock, stage) === 'arcl' ? `${project}:${stage}` : `${project}/${subject}:${stage}`;
}

/** One row per task of the model, in the order in which they can run. */
export function pipelineRows(project: string, lock: Lock): Row[] {
  const model = (stage: string): Row => ({ label: stage, task: `${project}:${stage}` });
  const withCustom = (stage: StageName): string[] => [stage, ...customStagesAfter(lock, stage)];
  const cells = inOrder(lock.cells, ({ ar, cl, part }) => [ar, cl, part]).flatMap((cell) => [...withCustom('transform'), 'convert'].map((stage) => ({ label: `${stage} ${cell}`, task: `${project}/${cell}:${stage}` })));
  const parts = inOrder(lock.parts, ({ part }) => [part]).map((part) => ({ label: `compile ${part}`, task: `${project}/${part}:compile` }));
  return [...(['load', 'optimize', 'quantize', 'arcl'] as const).flatMap(withCustom).map(model), ...cells, ...parts, model('package')];
}

/** Names by the numbers that they stand for: the lock sorts its keys as text. */
function inOrder<T>(items: Readonly<Record<string, T>>, numbers: (item: T) => readonly number[]): string[] {
  const rank = (item: T): string => numbers(item).map((n) => String(n).padStart(8, '0')).join();
  return Object.entries(items).sort(([, a], [, b]) => (rank(a) < rank(b) ? -1 : 1)).map(([name]) => name);
}

/**
 * The table: stage, result, seconds, bytes written, and the totals.
 *
 * @param records of the run; a row without one was a cache hit of Nx, which runs nothing
 * @param wallSeconds from the start of the run until now; stages run in parallel, so it is no sum
 */
export function summaryTable(project: string, lock: Lock, records: ReadonlyMap<string, StageRun>, wallSeconds: number): string[] {
  const rows = pipelineRows(project, lock).map(({ label, task }) => {
    const record = records.get(task);
    if (record === undefined) return [label, 'cached (Nx)', '', '0 B'];
    return [label, describeResult(record), formatSeconds(record.seconds), formatBytes(record.bytesWritten)];
  });
  const all = [...records.values()];
  const ran = all.filter(({ status }) => status === 'run').length;
  const bytes = all.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
  const total = ['total', `${ran} run, ${rows.length - ran} cached`, formatSeconds(wallSeconds), formatBytes(bytes)];
  return textTable(['stage', 'result', 'time', 'written'], [...rows, total], [false, false, true, true]);
}

/** `run`, `run (12 of 18 blocks from cache)`, `cached (store)` or `cached (remote)`. */
export function describeResult({ status, pieces, remote }: Pick<StageRun, 'status' | 'pieces' | 'remote'>): string {
  if (status === 'cached') return (remote?.results ?? 0) > 0 ? 'cached (remote)' : 'cached (store)';
  return pieces === undefined || pieces.cached === 0 ? 'run' : `run (${pieces.cached} of ${pieces.total} blocks from cache)`;
}

/** What came from the remote cache and what went there; nothing without one. @param besides what no record counts */
export function remoteLines(records: ReadonlyMap<string, StageRun>, besides: RemoteTraffic | undefined): string[] {
  const all = [...records.values()].flatMap(({ remote }) => remote ?? []);
  if (all.length === 0 && besides === undefined) return [];
  const sum = (of: (traffic: RemoteTraffic) => number): number => [...all, ...(besides === undefined ? [] : [besides])].reduce((total, traffic) => total + of(traffic), 0);
  const results = all.reduce((total, share) => total + share.results, 0);
  return [`remote cache: ${results} results found, ${formatBytes(sum(({ down }) => down))} down, ${formatBytes(sum(({ up }) => up))} up`];
}

/** Where there is a limit: the task that came nearest to it. */
export function memoryLines(records: ReadonlyMap<string, StageRun>, maxMemory: number | undefined): string[] {
  const [most] = [...records].filter(([, { status }]) => status === 'run').sort(([, a], [, b]) => b.peakRssBytes - a.peakRssBytes);
  if (maxMemory === undefined || most === undefined) return [];
  return [`memory: ${formatBytes(most[1].peakRssBytes)} in ${most[0]}, limit ${formatBytes(maxMemory)}`];
}

/** What a person does next. */
export function containerLines(project: string, container: ContainerSummary): string[] {
  const { rebuilt } = container;
  return [
    ...(rebuilt === undefined ? [] : [`run again: ${rebuilt.steps} steps whose files this store did not have, ${formatBytes(rebuilt.bytesWritten)} written`]),
    `container: ${container.folder} (${formatBytes(container.bytes)}, ${container.files} files)`,
    `talk to it: npx nx run ${project}:generate --prompt "And God said" --max-tokens 64`,
    `without Nx: npx tundish generate ${container.folder} --prompt "And God said"`,
  ];
}
