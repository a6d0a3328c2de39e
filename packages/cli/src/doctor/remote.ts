/** The remote cache that the environment names: whether it answers. */
import { TundishError, messageOf, printable } from '@tundish/diagnostics';
import { sha256 } from '@tundish/store';
import { remoteCacheWordsOf } from '../environment.js';
import { type Finding, finding } from './finding.js';

const WAIT_MS = 5000;
/** Of no bytes: any cache may have it, and none needs to. */
const EMPTY = { sha256: sha256(''), size: 0 };

/** Nothing where no remote cache is named. A build does without one that is down, so that this is no problem. */
export async function remoteFindings(): Promise<Finding[]> {
  const name = 'remote cache';
  try {
    const words = remoteCacheWordsOf();
    if (words === undefined) return [];
    const { openRemoteCache } = await import('@tundish/remote');
    const cache = await openRemoteCache(words.address, { token: words.token });
    const answered = await Promise.race([cache.hasBlob(EMPTY, AbortSignal.timeout(WAIT_MS)).then(() => true), waited()]);
    if (answered) return [finding(name, `${cache.name} answers, ${words.mode === 'read' ? 'to read from' : 'to read from and write to'}`)];
    return [finding(name, `${cache.name} does not answer within ${WAIT_MS / 1000} s`, { status: 'warning', fix: 'look at the network, or unset TUNDISH_REMOTE_CACHE: builds go on without it' })];
  } catch (error) {
    const { what = messageOf(error), why, fix } = error instanceof TundishError ? error : { what: undefined, why: undefined, fix: undefined };
    return [finding(name, printable(why === undefined ? what : `${what}: ${why}`, 200), { status: 'warning', fix: fix ?? 'look at the address in TUNDISH_REMOTE_CACHE and at the network: builds go on without it' })];
  }
}

function waited(): Promise<boolean> {
  return new Promise((resolve) => void setTimeout(() => resolve(false), WAIT_MS + 200).unref());
}
