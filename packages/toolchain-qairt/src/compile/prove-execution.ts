/** Executes the smallest graph of a part in the emulator: composed, and again from its binary. */
import { isDeepStrictEqual } from 'node:util';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '@tundish/diagnostics';
import type { QnnData } from '@tundish/native/qnn';
import { type Child, withChild } from '../child/child.js';
import { ERRORS_ONLY } from '../child/protocol.js';
import type { QnnGraphPlan } from '../compose/plan.js';
import { openBinary } from '../inspection/open-binary.js';
import { elementsOf } from '../inspection/element-types.js';
import { childOptionsOf } from '../libraries/describe.js';
import { libraryPath } from '../libraries/find.js';
import { qairtError } from '../libraries/errors.js';
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
  try {
    const composed = await withChild({ ...childOptionsOf(work.libraries), signal: work.signal }, async (child) => {
      const { graphs } = await composeBinary(child, work, { plans: [plan], weightSharing: false, path: twin });
      const results = await child.call('execute', { graph: graphs[0] as number, inputs }, { subject: plan.name });
      return Object.fromEntries(plan.outputs.map(({ name, element }) => [name, elementsOf(results[name] as Uint8Array, element)]));
    });
    const loaded = await executeBinary(work, others.length === 0 ? shipped : twin, plan, inputs);
    if (isDeepStrictEqual(loaded, composed)) return;
    const output = plan.outputs.find(({ name }) => !isDeepStrictEqual(loaded[name], composed[name]));
    throw qairtError('QAIRT_TWIN_DIFFERS', { what: `${plan.name} computes another ${printable(output?.name ?? '')} from its binary than when it was composed`, evidence: { path: shipped }, fix: 'build again; where it stays, use another build of the libraries' });
  } finally {
    await rm(twin, { force: true });
  }
}

async function executeBinary({ libraries, options, signal }: PartWork, path: string, plan: QnnGraphPlan, inputs: Readonly<Record<string, QnnData>>): Promise<Record<string, QnnData>> {
  return withChild({ ...childOptionsOf(libraries), signal }, async (child: Child) => {
    await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: ERRORS_ONLY, soc: options.chip.socModel });
    const graph = (await openBinary(child, libraries, path)).get(plan.name);
    return graph === undefined ? {} : graph(inputs);
  });
}
