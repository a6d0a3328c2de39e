/** Files for the events of a run, which all of its tasks append to. */
import type { BuildWatch } from '@tundish/cli/summary';
import type { Observer } from '@tundish/stages/pipeline';

/** Begins the files anew: once a run, before its tasks. */
export async function beginWatch({ trace, events }: BuildWatch): Promise<void> {
  if (trace === undefined && events === undefined) return;
  const { beginEventFile, beginTraceFile } = await import('@tundish/stages/pipeline');
  if (trace !== undefined) beginTraceFile(trace);
  if (events !== undefined) beginEventFile(events);
}

/** Of one task. The trace stays without its bracket, which the format allows: no task knows that it is the last. */
export async function watchingObservers({ trace, events }: BuildWatch): Promise<Observer[]> {
  const { eventFile, traceFile } = await import('@tundish/stages/pipeline');
  return [...(trace === undefined ? [] : [traceFile(trace, { last: false })]), ...(events === undefined ? [] : [eventFile(events)])];
}
