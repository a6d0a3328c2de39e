/** Test projects: `unit` finishes in two minutes; `keys` is the table of what must hit and miss; `slow` is what packages do in processes of their own; `e2e` runs whole builds, the real nx and the real command. */
import { configDefaults, defineConfig } from 'vitest/config';

/** Not for a run of two minutes. */
const SLOW = ['stages/test/processes', 'stages/test/keys', 'stages/test/custom-stages', 'stages/test/memory', 'stages/test/rotation', 'stages/test/precision', 'stages/test/schemes', 'stages/test/faults', 'stages/test/quantize-source', 'stages/test/remote', 'stages/test/container', 'stages/test/stages', 'stages/test/observe', 'stages/test/blocks', 'store/test/processes', 'cache-server/test/attacks', 'cache-server/test/nx', 'cache-server/test/storage', 'remote/test/session', 'quantize/test/graph-form', 'quantize/test/solving', 'toolchain-host/test/conformance', 'toolchain-qairt/test/real', 'toolchain-qairt/test/child', 'toolchain-qairt/test/inspection', 'toolchain-qairt/test/install', 'cli/test/toolchain', 'cli/test/inspect-binaries', 'toolchain-qairt/test/genie-runtime', 'toolchain-qairt/test/compose-llama', 'toolchain-qairt/test/compose-forms', 'toolchain-qairt/test/half-precision', 'toolchain-qairt/test/htp-operations', 'toolchain-qairt/test/htp-prediction', 'toolchain-qairt/test/dlc', 'toolchain-qairt/test/ep-context', 'cli/test/block-errors', 'cli/test/compare', 'cli/test/export', 'cli/test/progress', 'cli/test/replay', 'cli/test/plan', 'cli/test/evaluate', 'cli/test/build', 'cli/test/verify', 'cli/test/remote', 'cli/test/schemes', 'toolchain-qairt/test/fidelity', 'cli/test/fidelity', 'toolchain-qairt/test/op-matrix', 'toolchain-qairt/test/graph-sizes', 'toolchain-qairt/test/shared-weights', 'toolchain-qairt/test/ep-peer', 'toolchain-qairt/test/plan-file', 'store/test/gc', 'quantize/test/calibration', 'quantize/test/documented-techniques', 'stages/test/preflight', 'cli/test/inspect', 'runtime/test/engine', 'runtime/test/mini-llama', 'quantize/test/block-backward', 'quantize/test/float-windows', 'quantize/test/weights', 'quantize/test/forward', 'quantize/test/cache-bits', 'quantize/test/mixed-precision', 'toolchain-host/test/exact-product', 'toolchain-host/test/htp-numerics', 'stages/test/bad-checkpoints', 'stages/test/gguf', 'cli/test/attach', 'cli/test/gc'].map((name) => `packages/${name}.test.ts`);

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
