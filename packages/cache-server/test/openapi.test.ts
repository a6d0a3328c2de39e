/** The description that the server gives of itself, against its routes and its codes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { declaredErrors } from '@tundish/diagnostics';
import { expect, it } from 'vitest';
import { createApp } from '../src/http/create-app.js';
import { createMetrics } from '../src/http/metrics.js';
import { openapi } from '../src/http/openapi.js';
import { statusOf } from '../src/http/status.js';
import { EntryStore } from '../src/storage/entry-store.js';
import { TokenTable } from '../src/tokens/token-table.js';

type Paths = Readonly<Record<string, Readonly<Record<string, { readonly operationId: string; readonly responses: object }>>>>;
const paths = openapi.paths as unknown as Paths;
const METHODS = ['get', 'head', 'put'];

it('describes every route and no other', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tundish-openapi-'));
  const limits = { quota: 1e6, untrustedQuota: 0, maxBlob: 1e6, maxArchive: 1e6, maxUnpacked: 1e6, maxConnections: 10, minRate: 1, clientSeconds: 1, answerSeconds: 1, graceSeconds: 1 };
  const store = await EntryStore.open(folder, { trustedQuota: 1e6, namespacesQuota: 0 }, { warn: () => undefined, evicted: () => undefined });
  const app = await createApp({ store, tokens: new TokenTable(undefined), limits, metrics: createMetrics(), log: { warn: () => undefined } });
  try {
    await app.ready();
    for (const [path, operations] of Object.entries(paths)) {
      const url = path.replace(/\{(\w+)\}/, ':$1');
      expect([path, METHODS.filter((method) => app.hasRoute({ method: method.toUpperCase() as 'GET', url }))]).toEqual([path, METHODS.filter((method) => Object.hasOwn(operations, method))]);
    }
    const leaves = app.printRoutes({ commonPrefix: false }).match(/\([A-Z, ]+\)/g) ?? [];
    expect(leaves.flatMap((leaf) => leaf.split(',')).length).toBe(Object.values(paths).flatMap((operations) => METHODS.filter((method) => Object.hasOwn(operations, method))).length);
  } finally {
    await app.close();
    await store.close();
    rmSync(folder, { recursive: true });
  }
});

it('describes every status that a code has', () => {
  const described = new Set(Object.values(paths).flatMap((operations) => METHODS.flatMap((method) => Object.keys(operations[method]?.responses ?? {}))));
  const codes = [...declaredErrors().keys()].filter((code) => code.startsWith('CACHE_'));
  expect(codes.length).toBeGreaterThan(15);
  expect(codes.filter((code) => !described.has(String(statusOf(code))))).toEqual([]);
});

it('never tells Nx what would end its run', () => {
  const { get, head, put } = paths['/v1/cache/{hash}'] as Paths[string];
  expect([get, head, put].map((one) => Object.keys(one?.responses ?? {}))).toEqual([['200', '206', '304', '404'], ['200', '304', '404'], ['200', '403', '409']]);
});

it('has no two operations of one name', () => {
  const ids = Object.values(paths).flatMap((operations) => METHODS.flatMap((method) => operations[method]?.operationId ?? []));
  expect(new Set(ids).size).toBe(ids.length);
});
