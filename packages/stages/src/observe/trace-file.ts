/** Events as a trace for chrome://tracing and Perfetto: the array form of the Trace Event Format, whose closing bracket may be missing. */
import { AppendFile, beginFile } from './append-file.js';
import type { BuildEvent, Observer } from './event.js';

/** The first entry has no comma before it, so every other one has: what is there is an array but for the bracket, at any time. */
const HEAD = '[{"ph":"M","name":"tundish","pid":0,"tid":0,"args":{"schema":1}}\n';

/** Begins the file of a new run. */
export function beginTraceFile(path: string): void {
  beginFile(path, HEAD);
}

/**
 * Appends to the trace of the run: a complete event (`X`) for every span that ended, and the resident memory (`C`) at every event.
 *
 * @param last true when no other process writes to the file: `close` then writes the bracket
 * @throws STORE_* of a disk that refuses
 */
export function traceFile(path: string, { last }: { readonly last: boolean }): Observer {
  const file = new AppendFile(path, HEAD);
  const lanes = new Lanes();
  const write = (entry: object): void => file.append(`,${JSON.stringify(entry)}\n`);
  let named = false;
  return {
    name: path,
    on: (event) => {
      if (!named) write({ ph: 'M', name: 'process_name', pid: event.process, tid: 0, args: { name: `${event.model} ${event.stage}` } });
      named = true;
      write({ ph: 'C', name: 'resident memory', pid: event.process, tid: 0, ts: microseconds(event.at), args: { bytes: event.usage.rssBytes } });
      if (event.kind === 'start') lanes.enter(event);
      else if (event.kind !== 'progress') write(complete(event, lanes.leave(event)));
    },
    close: () => {
      if (last) file.append(']\n');
      file.close();
    },
  };
}

function complete(event: BuildEvent, tid: number): object {
  const { level, stage, name, kind, model, process, at, usage, source, error } = event;
  return {
    ph: 'X', name, cat: level, pid: process, tid, ts: microseconds(at - usage.wallSeconds), dur: microseconds(usage.wallSeconds),
    args: { model, stage, result: kind, ...(source === undefined ? {} : { source }), ...(error === undefined ? {} : { error }), ...usage },
  };
}

/** Whole microseconds: the unit of the format. */
function microseconds(seconds: number): number {
  return Math.floor(seconds * 1e6);
}

/** Spans of one lane are drawn inside each other, so units that overlap need lanes of their own: the lowest that is free. */
class Lanes {
  readonly #units = new Map<string, number>();

  enter({ level, name }: BuildEvent): void {
    if (level !== 'unit') return;
    const taken = new Set(this.#units.values());
    let lane = 1;
    while (taken.has(lane)) lane += 1;
    this.#units.set(name, lane);
  }

  /** Stages are in lane 0, pieces in that of their unit. */
  leave({ level, name }: BuildEvent): number {
    if (level === 'stage') return 0;
    const unit = level === 'unit' ? name : name.slice(0, name.lastIndexOf('/'));
    const lane = this.#units.get(unit) ?? 1;
    if (level === 'unit') this.#units.delete(unit);
    return lane;
  }
}
