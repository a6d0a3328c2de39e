/** What a pipeline is asked, and what it says of a unit that it ran. */
import type { Reporter } from '@tundish/diagnostics';
import type { RemoteResults, StageManifest } from '@tundish/store';
import type { Observer } from './observe/event.js';
import type { PieceCount } from './pieces.js';
import type { Unit } from './plan.js';
import type { FoundIn } from './shared-results.js';
import type { Adapters } from './stage.js';

export interface PipelineRequest {
  readonly workspaceRoot: string;
  /** Folder of the model project, relative to the workspace. */
  readonly modelRoot: string;
  readonly cacheRoot: string;
  /** Where hub checkpoints are kept: the folder that Hugging Face tools use. */
  readonly hubCache: string;
  readonly hub?: { readonly token?: string; readonly offline?: boolean };
  readonly adapters: Adapters;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly threads: number;
  /** True when earlier results are in place because Nx ran or restored them; else they are looked up or made. */
  readonly inputsInPlace?: boolean;
  /** Memory that the process may have while a stage works, bytes: a stage that is expected to need more is refused before any work, one that does is stopped. In no key. */
  readonly maxMemory?: number;
  /** Whether this pipeline looks before its first work whether the build can succeed; absent: yes. Of many processes of one run one does. */
  readonly preflight?: () => boolean;
  /** Who is told what happens, until `close`; those that the recipe names are added. Absent: nobody, also none of the recipe. */
  readonly observers?: readonly Observer[];
  /** Start of the run that this pipeline is part of, milliseconds since 1970; absent: now. It is in events only. */
  readonly startedAt?: number;
  /** Where results of other machines are found and those of this one go; `close` waits for what is on its way. */
  readonly remote?: RemoteResults;
}

/** What became of one unit. */
export interface UnitRun {
  readonly unit: Unit;
  readonly status: 'run' | 'cached';
  /** Where a cached result was. */
  readonly source?: FoundIn;
  readonly seconds: number;
  /** Of the whole process in that time, all threads included. */
  readonly cpuSeconds: number;
  /** Largest resident memory of the process in that time; until then, where the system cannot say (all but Linux). */
  readonly peakRssBytes: number;
  /** Bytes of new content that went to disk. */
  readonly bytesWritten: number;
  readonly manifest: StageManifest;
  /** Of a unit that ran: what it was expected to need before it did. */
  readonly expectedRssBytes?: number;
  /** Of a unit that ran in pieces with keys of their own. */
  readonly pieces?: PieceCount;
}
