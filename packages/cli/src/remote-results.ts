/** The remote cache that the environment names, ready for a build. */
import type { Reporter } from '@tundish/diagnostics';
import type { RunMarks } from '@tundish/remote';
import type { RemoteResults } from '@tundish/store';
import { remoteCacheWordsOf } from './environment.js';

export interface RemoteResultsRequest {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /** Of a run that has many processes: one of them warns for all, and none asks a cache that another found down. */
  readonly marks?: RunMarks;
  /** Asks and sends nothing: for verbs that write nothing. */
  readonly readOnly?: boolean;
}

/** To be spread into a request of a pipeline; empty where no remote cache is named, and then nothing of it is loaded. @throws REMOTE_URL, CLI_USAGE */
export async function withRemote({ readOnly = false, ...request }: RemoteResultsRequest): Promise<{ readonly remote?: RemoteResults }> {
  const words = remoteCacheWordsOf();
  if (words === undefined) return {};
  const { RemoteSession, openRemoteCache } = await import('@tundish/remote');
  const cache = await openRemoteCache(words.address, { token: words.token });
  return { remote: new RemoteSession({ ...request, cache, mode: readOnly ? 'read' : words.mode }) };
}
