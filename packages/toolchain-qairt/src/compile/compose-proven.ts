/** A binary that a machine like this one can load: its smallest graph is executed as it was composed, and again from the file. */
import { isDeepStrictEqual } from 'node:util';
import { printable } from '@tundish/diagnostics';
import type { QnnGraphPlan } from '../compose/plan.js';
import { executableGraph, openBinary } from '../inspection/open-binary.js';
import { qairtError } from '../libraries/errors.js';
import { withEmulator } from '../libraries/with-emulator.js';
import { type BinaryRequest, type PartWork, composeBinary } from './compose-binary.js';
import { sampleInputs } from './sample-inputs.js';
import { together } from './together.js';

/**
 * Writes the binary, whose graphs must not share weights. A flipped byte is not always noticed when a binary is loaded, so that what
 * is loaded must compute what was composed. Both executions run side by side, in processes of their own: each takes one processor,
 * and longer than the compiler.
 *
 * @throws QAIRT_TWIN_DIFFERS, and the other errors of `Child.call`
 */
export async function composeProven(work: PartWork, request: Omit<BinaryRequest, 'weightSharing'>): Promise<void> {
  const { libraries, options, signal } = work;
  const plan = request.plans[0] as QnnGraphPlan;
  const inputs = sampleInputs(plan);
  const chip = { libraries, soc: options.chip.socModel };
  await withEmulator({ ...chip, signal }, async (child) => {
    const [graph] = await composeBinary(child, work, { ...request, weightSharing: false });
    const [composed, loaded] = await together(signal, [
      () => executableGraph(child, graph as number, plan)(inputs),
      (stop) => withEmulator({ ...chip, signal: stop }, async (other) => (await openBinary(other, libraries, request.path)).get(plan.name)?.(inputs)),
    ]);
    if (isDeepStrictEqual(loaded, composed)) return;
    const output = plan.outputs.find(({ name }) => !isDeepStrictEqual(loaded?.[name], composed[name]));
    throw qairtError('QAIRT_TWIN_DIFFERS', { what: `${plan.name} computes another ${printable(output?.name ?? '')} from its binary than when it was composed`, evidence: { path: request.path }, fix: 'build again; where it stays, use another build of the libraries' });
  });
}
