/**
 * What every toolchain must do, as tests: an adapter's test file calls `toolchainConformance`. Nothing here knows a
 * library, a file format or a machine; expected numbers come from a float64 simulation of the source graph.
 */
import { BUILD_CASES } from './conformance/build-cases.js';
import { EXECUTION_CASES } from './conformance/execution-cases.js';
import { FAILURE_CASES } from './conformance/failure-cases.js';
import { Workbench } from './conformance/workbench.js';
import type { Toolchain } from './port.js';

/** The functions of a test framework that the suite needs; those of vitest fit. */
export interface TestFramework {
  describe(name: string, define: () => void): void;
  it(name: string, run: () => Promise<void>): void;
  afterAll(run: () => Promise<void>): void;
}

/**
 * Defines the suite for one toolchain.
 *
 * @param factory makes the toolchain, once for the whole suite
 */
export function toolchainConformance(name: string, factory: () => Toolchain, framework: TestFramework): void {
  framework.describe(`toolchain ${name}`, () => {
    let bench: Workbench | undefined;
    const workbench = (): Workbench => (bench ??= new Workbench(factory()));
    for (const [title, run] of [...BUILD_CASES, ...EXECUTION_CASES, ...FAILURE_CASES]) framework.it(title, () => run(workbench()));
    framework.afterAll(async () => bench?.dispose());
  });
}
