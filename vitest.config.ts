/** Test projects: `unit` finishes in two minutes; `keys` is the table of what must hit and miss; `e2e` runs the real nx and the real command in temporary workspaces. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts', 'native/test/**/*.test.ts', 'test/{conformance,fixtures}/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          pool: 'forks',
          server: { deps: { external: [/\/dist\//] } },
        },
      },
      {
        test: {
          name: 'keys',
          include: ['test/keys/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          pool: 'forks',
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          pool: 'forks',
          fileParallelism: false,
        },
      },
    ],
    maxWorkers: 2,
  },
});
