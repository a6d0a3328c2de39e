/** Executes the smallest graph of a part in the emulator: composed, and again from its binary. */
import { isDeepStrictEqual } from 'node:util';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { executableGraph, openBinary } from '../inspection/open-binary.js';
import { qairtError } from '../libraries/errors.js';
import { withEmulator } from '../libraries/with-emulator.js';
import { type PartWork, composeBinary } from './compose-binary.js';
import { sampleInputs } from './sample-inputs.js';

/**
 * The graph is compiled by itself, without sharing, from the plan that the shipped binary has; a binary of one graph is loaded as it
 * is. A flipped byte is not always noticed when a binary is loaded, so that what is loaded must compute what was composed.
 *
 * @throws QAIRT_TWIN_DIFFERS
 */
export async function proveExecution(work: PartWork, shipped: string, scratch: string): Promise<void> {
  const [plan, ...others] = work.plans;
  if (plan === undefined) return;
  const twin = join(scratch, 'twin.bin');
  const inputs = sampleInputs(plan);
  const chip = { libraries: work.libraries, soc: work.options.chip.socModel, signal: work.signal };
  try {
    const composed = await withEmulator(chip, async (child) => {
      const [graph] = await composeBinary(child, work, { plans: [plan], weightSharing: false, path: twin });
      return executableGraph(child, graph as number, plan)(inputs);
    });
    const binary = others.length === 0 ? shipped : twin;
    const loaded = await withEmulator(chip, async (child) => (await openBinary(child, work.libraries, binary)).get(plan.name)?.(inputs));
    if (isDeepStrictEqual(loaded, composed)) return;
    const output = plan.outputs.find(({ name }) => !isDeepStrictEqual(loaded?.[name], composed[name]));
    throw qairtError('QAIRT_TWIN_DIFFERS', { what: `${plan.name} computes another ${printable(output?.name ?? '')} from its binary than when it was composed`, evidence: { path: shipped }, fix: 'build again; where it stays, use another build of the libraries' });
  } finally {
    await rm(twin, { force: true });
  }
}
