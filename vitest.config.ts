/** Test projects: `unit` finishes in two minutes; `slow` has what else the packages test; `keys` is the table of what must hit and miss; `e2e` runs whole builds, the real nx and the real command. */
import { configDefaults, defineConfig } from 'vitest/config';

/** Not for a run of two minutes. */
const SLOW = Object.entries({
  'cache-server': ['attacks', 'nx', 'storage'],
  cli: [
    'attach', 'block-errors', 'build', 'compare', 'evaluate', 'export', 'fidelity', 'gc', 'inspect', 'inspect-binaries',
    'plan', 'progress', 'remote', 'replay', 'schemes', 'toolchain', 'verify',
  ],
  quantize: [
    'block-backward', 'cache-bits', 'calibration', 'documented-techniques', 'float-windows', 'forward', 'graph-form',
    'mixed-precision', 'solving', 'weights',
  ],
  remote: ['session'],
  runtime: ['engine', 'mini-llama'],
  stages: [
    'bad-checkpoints', 'blocks', 'container', 'custom-stages', 'faults', 'gguf', 'keys', 'memory', 'observe', 'precision',
    'preflight', 'processes', 'quantize-source', 'remote', 'rotation', 'schemes', 'stages',
  ],
  store: ['file-digests', 'gc', 'processes'],
  'toolchain-host': ['conformance', 'exact-product', 'htp-numerics'],
  'toolchain-qairt': [
    'child', 'compose-forms', 'compose-llama', 'dlc', 'ep-context', 'ep-peer', 'fidelity', 'genie-runtime', 'graph-sizes',
    'half-precision', 'htp-operations', 'htp-prediction', 'inspection', 'install', 'op-matrix', 'plan-file', 'real',
    'shared-weights',
  ],
}).flatMap(([name, tests]) => tests.map((test) => `packages/${name}/test/${test}.test.ts`));

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts', 'native/test/**/*.test.ts', 'test/{conformance,fixtures}/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...SLOW],
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
          name: 'slow',
          include: SLOW,
          testTimeout: 600_000,
          hookTimeout: 600_000,
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
