/** What a build says of itself while it runs, as data: the events that observers get. */
import type { Progress } from '@tundish/diagnostics';

/** Version of the form below; a field that is added does not raise it. */
export const EVENT_SCHEMA = 1;

/** Bytes that the process moved. `system`: by the operating system's count; `own`: what the store added, where it counts none. */
export type ByteCounts =
  | {
      readonly accounting: 'system';
      /** Through read and write calls, of files, pipes and sockets; a mapped file is not in it. */
      readonly read: number;
      readonly written: number;
      /** From and to the disk itself: what the page cache held was not read, and what only reached it is counted as written. */
      readonly diskRead: number;
      readonly diskWritten: number;
    }
  | { readonly accounting: 'own'; readonly written: number };

/** What a span cost until the event. CPU seconds and bytes are those of the whole process in that time, all threads included. */
export interface Usage {
  /** Since `start` of the same name. */
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  /** Resident memory of the process now. */
  readonly rssBytes: number;
  /** The largest that it was since the process began. */
  readonly peakRssBytes: number;
  readonly bytes: ByteCounts;
}

/** Which span an event is about. */
export interface SpanIdentity {
  /** `stage`: all units that one process ran of a stage; `unit`: one pair, cell or part; `piece`: a block of quantize. */
  readonly level: 'stage' | 'unit' | 'piece';
  /** `quantize`, `compile`. */
  readonly stage: string;
  /** `quantize` for the stage and for its unit, `compile/part1of2`, `quantize/block-3`. */
  readonly name: string;
}

export interface BuildEvent extends SpanIdentity {
  readonly schema: typeof EVENT_SCHEMA;
  /** Every span has one `start`, any number of `progress`, and one of `finish`, `hit`, `fail`. */
  readonly kind: 'start' | 'progress' | 'finish' | 'hit' | 'fail';
  readonly model: string;
  /** Id of the process. */
  readonly process: number;
  /** Seconds since the start of the run, which under Nx has many processes. */
  readonly at: number;
  readonly usage: Usage;
  /** Of a hit: where the result was. `local`: this machine's store; `remote`: the remote cache. What Nx's own cache answers starts no process and has no event. */
  readonly source?: 'local' | 'remote';
  /** Of `progress`. */
  readonly progress?: Progress;
  /** Of `fail`; `code` is null for a failure that has none. */
  readonly error?: { readonly code: string | null; readonly message: string };
}

/** Somebody who is told. An observer that throws or rejects is not called again: the build goes on with a warning. */
export interface Observer {
  /** For the warning. */
  readonly name: string;
  on(event: BuildEvent): unknown;
  /** After the last event. */
  close?(): unknown;
}
