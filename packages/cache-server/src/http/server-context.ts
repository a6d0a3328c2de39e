/** What the routes share. */
import type { Logger } from '../logger.js';
import type { ServerLimits } from '../server-config.js';
import type { EntryStore } from '../storage/entry-store.js';
import type { TokenTable } from '../tokens/token-table.js';
import type { Metrics } from './metrics.js';

export interface ServerContext {
  readonly store: EntryStore;
  readonly tokens: TokenTable;
  readonly limits: ServerLimits;
  readonly metrics: Metrics;
  readonly log: Logger;
}
