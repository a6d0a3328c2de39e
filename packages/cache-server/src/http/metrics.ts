/** Figures for Prometheus. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Kind } from '../storage/layout.js';
import type { EntryStore } from '../storage/entry-store.js';

export type Metrics = ReturnType<typeof createMetrics>;

const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300];

/** A registry of its own, with the figures of the process. */
export function createMetrics() {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  collectDefaultMetrics({ register: registry });
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> => new Counter({ name: `tundish_cache_${name}`, help, labelNames: [...labelNames], registers });
  return {
    registry,
    requests: counter('requests_total', 'Requests answered', ['method', 'route', 'status']),
    lookups: counter('lookups_total', 'GET and HEAD of entries by kind and result', ['kind', 'result']),
    refused: counter('refused_total', 'Requests refused, by error code', ['code']),
    received: counter('received_bytes_total', 'Bytes of bodies received', ['kind']),
    sent: counter('sent_bytes_total', 'Bytes of bodies sent', ['kind']),
    stored: counter('stored_total', 'Entries stored', ['kind']),
    evicted: counter('evicted_total', 'Entries evicted for the quota', ['kind']),
    evictedBytes: counter('evicted_bytes_total', 'Bytes of bodies evicted for the quota', ['kind']),
    damaged: counter('damaged_total', 'Entries removed because their bytes were not those that were stored', []),
    cut: counter('cut_connections_total', 'Connections ended because the client was too slow', []),
    seconds: new Histogram({ name: 'tundish_cache_request_seconds', help: 'Time from the head of a request to the end of its answer', labelNames: ['route'], buckets: SECONDS, registers }),
  };
}

export function countEvicted({ evicted, evictedBytes }: Metrics, kind: Kind, bytes: number): void {
  evicted.inc({ kind });
  evictedBytes.inc({ kind }, bytes);
}

/** Gauges of the disk, by trust; the store is asked whenever the figures are read. */
export function watchStore({ registry }: Metrics, store: EntryStore): void {
  const gauge = (name: string, help: string, read: (pool: EntryStore['trusted']) => number): void => {
    new Gauge({
      name: `tundish_cache_${name}`,
      help,
      labelNames: ['trust'],
      registers: [registry],
      collect() {
        this.set({ trust: 'trusted' }, read(store.trusted));
        this.set({ trust: 'untrusted' }, read(store.namespaces));
      },
    });
  };
  gauge('entries', 'Entries held', (pool) => pool.count);
  gauge('used_bytes', 'Disk space of the entries', (pool) => pool.used);
  gauge('quota_bytes', 'Disk space that entries may use', (pool) => pool.quota);
}
