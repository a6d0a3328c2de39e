/** Starts a server and ends it. */
import type { AddressInfo } from 'node:net';
import { messageOf } from '@tundish/diagnostics';
import { cacheError } from './errors.js';
import { createApp } from './http/create-app.js';
import { countEvicted, createMetrics, watchStore } from './http/metrics.js';
import type { Logger } from './logger.js';
import type { ServerConfig } from './server-config.js';
import { EntryStore } from './storage/entry-store.js';
import { TokenTable } from './tokens/token-table.js';

export interface RunningServer {
  /** For example `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Number of tokens and of entries. */
  readonly found: { readonly tokens: number; readonly entries: number };
  /** Reads the file of tokens again. @throws CACHE_TOKEN_FILE, after which the tokens are as before */
  reloadTokens(): void;
  /** Takes no more connections, lets requests in flight finish within the grace period, and frees the folder. */
  close(): Promise<void>;
}

const IDLE_CHECK_MS = 100;

/** @throws CACHE_TOKEN_FILE, CACHE_USAGE, CACHE_FOLDER, CACHE_FOLDER_BUSY, CACHE_LISTEN */
export async function startServer(config: ServerConfig, log: Logger): Promise<RunningServer> {
  const { folder, host, port, tokenFile, limits } = config;
  if (tokenFile === undefined && !isLoopback(host)) throw cacheError('CACHE_USAGE', { what: `a server without tokens does not listen at ${host}`, why: 'everybody who reaches it could write what others build from', fix: 'give it a file of tokens (--tokens), or --host 127.0.0.1' });
  const { quota, untrustedQuota } = limits;
  if (untrustedQuota > quota) throw cacheError('CACHE_USAGE', { what: 'the part of the untrusted is larger than the quota', fix: 'lower --untrusted-quota, or raise --quota' });
  const tokens = new TokenTable(tokenFile);
  const metrics = createMetrics();
  const quotas = { trustedQuota: quota - untrustedQuota, namespacesQuota: untrustedQuota };
  const store = await EntryStore.open(folder, quotas, { warn: log.warn, evicted: (kind, bytes) => countEvicted(metrics, kind, bytes) });
  watchStore(metrics, store);
  const app = await createApp({ store, tokens, limits, metrics, log });
  try {
    await app.listen({ host, port });
  } catch (cause) {
    await store.close();
    throw cacheError('CACHE_LISTEN', { what: `cannot listen at ${host}, port ${port}`, why: messageOf(cause), fix: 'choose another --port or --host', cause });
  }
  const { address, port: chosen, family } = app.server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const timer = setTimeout(() => app.server.closeAllConnections(), limits.graceSeconds * 1000);
    // Clients keep connections whose last request has been answered.
    const idle = setInterval(() => app.server.closeIdleConnections(), IDLE_CHECK_MS);
    await app.close();
    clearTimeout(timer);
    clearInterval(idle);
    await store.close();
  };
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${chosen}`,
    found: { tokens: tokens.count, entries: store.trusted.count + store.namespaces.count },
    reloadTokens: () => tokens.reload(),
    close,
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
