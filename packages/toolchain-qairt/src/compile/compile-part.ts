/** The compile step: all graphs of a part in one context binary, asserted by reading it back, and one of them executed. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CompileRequest, CompileResult, ToolchainContext } from '@tundish/toolchain';
import type { QnnGraphPlan } from '../compose/plan.js';
import { decodePlan } from '../convert/plan-file.js';
import { planFile } from '../convert/convert.js';
import { inspectContextBinary } from '../inspection/context-binary.js';
import type { QairtLibraries } from '../libraries/find.js';
import { qairtError } from '../libraries/errors.js';
import { withEmulator } from '../libraries/with-emulator.js';
import { assertBinary } from './assert-binary.js';
import { type PartWork, composeBinary } from './compose-binary.js';
import { composeProven } from './compose-proven.js';
import { partOptions } from './options.js';
import { together } from './together.js';
import { weightPaths } from './weight-paths.js';

/**
 * One file, `part{i}_of_{n}.bin`. Equal requests give equal bytes, whatever the machine. Where graphs share weights no x86 machine
 * can load the file: then the smallest graph is compiled by itself too, at the same time, and that twin is executed.
 *
 * @throws QAIRT_OPERATION_UNSUPPORTED, QAIRT_MEMORY, QAIRT_BINARY_DIFFERS, QAIRT_TWIN_DIFFERS, and the other errors of `Child.call`
 */
export async function compilePart(context: ToolchainContext, request: CompileRequest, libraries: QairtLibraries): Promise<CompileResult> {
  const { signal, scratch } = context;
  const options = partOptions(request.options);
  const plans = await Promise.all(request.graphs.map(planOf));
  const work: PartWork = { libraries, options, paths: weightPaths(plans, request.resolve), signal };
  const name = `part${request.part}_of_${request.parts}.bin`;
  const path = join(scratch, name);
  const report = (done: number): void => context.reporter.progress({ work: 'compile', label: 'graphs', done, total: plans.length });
  if (options.weightSharing && plans.length > 1) {
    await together(signal, [
      (stop) => withEmulator({ libraries, soc: options.chip.socModel, signal: stop }, (child) => composeBinary(child, work, { plans, weightSharing: true, path, report })),
      (stop) => proveTwin({ ...work, signal: stop }, plans, join(scratch, 'twin.bin')),
    ]);
  } else await composeProven(work, { plans, path, report });
  assertBinary(await inspectContextBinary(path, libraries, signal), plans, options);
  return { graphs: request.graphs.map(({ io }) => io), files: [{ name, content: { path } }] };
}

/** From the plan that the shipped binary has. */
async function proveTwin(work: PartWork, plans: readonly QnnGraphPlan[], path: string): Promise<void> {
  try {
    await composeProven(work, { plans: plans.slice(0, 1), path });
  } finally {
    await rm(path, { force: true });
  }
}

async function planOf({ io, files }: CompileRequest['graphs'][number]): Promise<QnnGraphPlan> {
  const path = files.get(planFile(io.name));
  if (path === undefined) throw qairtError('QAIRT_PLAN', { what: `${io.name} has no plan`, why: 'it was not converted by this toolchain', fix: 'convert the graph again' });
  return decodePlan(await readFile(path), path);
}
