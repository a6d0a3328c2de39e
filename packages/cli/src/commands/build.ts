/** `tundish build`: the whole pipeline without Nx, over the same cache. */
import { relative } from 'node:path';
import type { Lock } from '@tundish/recipe/lock';
import { type Observer, type StageRun, type UnitRun, beginEventFile, beginTraceFile, buildModel, eventFile, eventLines, stageRun, traceFile } from '@tundish/stages/pipeline';
import { materializeContainer } from '@tundish/stages/lock';
import type { BuildWatch } from '../build/build-watch.js';
import { refreshedLock } from '../build/refreshed-lock.js';
import { type ContainerSummary, containerLines, memoryLines, remoteLines, summaryTable, taskOf } from '../build/summary.js';
import { cacheRootOf, hubAccess, hubCacheOf } from '../environment.js';
import { type Io, ioReporter } from '../io.js';
import { withRemote } from '../remote-results.js';
import type { ProgressReporter } from '../progress-reporter.js';
import { adapters } from '../toolchains.js';

export interface BuildOptions extends BuildWatch {
  readonly workspaceRoot: string;
  /** Relative to the workspace. */
  readonly modelRoot: string;
  readonly frozenLock: boolean;
  readonly threads: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Builds everything that the container needs, and prints what was done: the table of `nx run MODEL:compile`, or JSON. */
export async function buildCommand(options: BuildOptions, io: Io): Promise<void> {
  const { workspaceRoot, modelRoot, signal, threads, maxMemory } = options;
  const startedAt = Date.now();
  const reporter = buildReporter(options, io);
  try {
    const lock = await refreshedLock({ workspaceRoot, modelRoot, frozen: options.frozenLock, reporter, signal });
    const cacheRoot = cacheRootOf(workspaceRoot);
    const { remote } = await withRemote({ reporter, signal });
    const runs = await buildModel({
      workspaceRoot, modelRoot, cacheRoot, adapters, reporter, signal, threads, startedAt,
      hubCache: hubCacheOf(),
      hub: hubAccess(),
      observers: observersOf(options, io),
      ...(maxMemory === undefined ? {} : { maxMemory }),
      ...(remote === undefined ? {} : { remote }),
    });
    const { folder, bytes } = await materializeContainer({ workspaceRoot, modelRoot, cacheRoot });
    const files = runs.find(({ unit }) => unit.stage === 'package')?.manifest.outputs.length ?? 0;
    const container = { folder: relative(workspaceRoot, folder), bytes, files, ...(remote === undefined ? {} : { traffic: remote.traffic }) };
    const seconds = (Date.now() - startedAt) / 1000;
    io.out(options.json ? jsonOf(lock, runs, container, { seconds, maxMemory }) : tableOf(lock, runs, container, { seconds, maxMemory }));
  } finally {
    reporter.close();
  }
}

/** Where events share stderr, no bar is drawn into them; messages are lines that do not begin with `{`. */
function buildReporter({ events }: BuildOptions, io: Io): ProgressReporter {
  const reporter = ioReporter(io);
  return events === '-' ? { ...reporter, progress: () => undefined } : reporter;
}

function observersOf({ trace, events }: BuildOptions, io: Io): Observer[] {
  if (trace !== undefined) beginTraceFile(trace);
  if (events !== undefined && events !== '-') beginEventFile(events);
  return [
    ...(trace === undefined ? [] : [traceFile(trace, { last: true })]),
    ...(events === undefined ? [] : [events === '-' ? eventLines((line) => io.err(line)) : eventFile(events)]),
  ];
}

interface Totals {
  readonly seconds: number;
  readonly maxMemory: number | undefined;
}

function tableOf(lock: Lock, runs: readonly UnitRun[], container: ContainerSummary, { seconds, maxMemory }: Totals): string {
  const records = new Map<string, StageRun>();
  for (const task of new Set(runs.map(({ unit }) => taskOf(lock.model, lock, unit)))) {
    const own = runs.filter(({ unit }) => taskOf(lock.model, lock, unit) === task);
    records.set(task, stageRun(own, own.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)));
  }
  return [...summaryTable(lock.model, lock, records, seconds), '', ...memoryLines(records, maxMemory), ...remoteLines(records, container.traffic), ...containerLines(lock.model, container), ''].join('\n');
}

function jsonOf({ model }: Lock, runs: readonly UnitRun[], { traffic, ...container }: ContainerSummary, { seconds, maxMemory }: Totals): string {
  const units = runs.map(({ unit, manifest, source, pieces, expectedRssBytes, ...measured }) => ({ ...unit, ...measured, source: source ?? null, expectedRssBytes: expectedRssBytes ?? null, outputs: manifest.outputs.length, pieces: pieces ?? null }));
  return `${JSON.stringify({ model, seconds, maxMemory: maxMemory ?? null, remote: traffic ?? null, container, units }, null, 2)}\n`;
}
