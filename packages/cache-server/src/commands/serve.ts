/** `tundish-cache --dir D`: serves until a signal ends it. */
import { resolve } from 'node:path';
import { TundishError, formatBytes, messageOf } from '@tundish/diagnostics';
import type { Io } from '../io.js';
import { type RunningServer, startServer } from '../start-server.js';

export interface ServeFlags {
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly tokens?: string;
  readonly quota: number;
  readonly untrustedQuota?: number;
  readonly maxBlob: number;
  readonly maxArchive: number;
  readonly maxUnpacked: number;
  readonly maxConnections: number;
  readonly minRate: number;
  readonly clientTimeout: number;
  readonly answerTimeout: number;
  readonly grace: number;
}

/** Unless the options say: the tenth part of the quota, where there can be untrusted tokens. */
const UNTRUSTED_PART = 10;

export async function serveCommand(flags: ServeFlags, io: Io): Promise<void> {
  const { dir, host, port, tokens, quota, untrustedQuota = tokens === undefined ? 0 : Math.floor(quota / UNTRUSTED_PART), maxBlob, maxArchive, maxUnpacked, maxConnections, minRate } = flags;
  const limits = { quota, untrustedQuota, maxBlob, maxArchive, maxUnpacked, maxConnections, minRate, clientSeconds: flags.clientTimeout, answerSeconds: flags.answerTimeout, graceSeconds: flags.grace };
  const warn = (message: string): void => io.err(`${message}\n`);
  const ended = new Promise<string>((end) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => end(signal));
  });
  const server = await startServer({ folder: resolve(dir), host, port, tokenFile: tokens === undefined ? undefined : resolve(tokens), limits }, { warn });
  process.on('SIGHUP', () => reload(server, tokens, warn));
  io.out(`tundish-cache listens at ${server.url}: ${server.found.entries} entries in ${resolve(dir)}, quota ${formatBytes(quota)}\n`);
  if (tokens === undefined) io.out('Without --tokens everybody on this machine may read and write, and nobody else is listened to.\n');
  else io.out(`${server.found.tokens} tokens; SIGHUP reads them again.\n`);
  io.out(`${await ended}: requests in flight have ${flags.grace} s\n`);
  await server.close();
}

function reload(server: RunningServer, tokens: string | undefined, warn: (message: string) => void): void {
  if (tokens === undefined) return warn('SIGHUP: there is no file of tokens to read');
  try {
    server.reloadTokens();
    warn('SIGHUP: read the tokens again');
  } catch (error) {
    warn(`SIGHUP: the tokens stay as they were\n${error instanceof TundishError ? error.message : messageOf(error)}`);
  }
}
