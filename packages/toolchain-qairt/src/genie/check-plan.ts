/** Refuses facts from which no bundle can be written, before anything is. */
import type { ErrorFacts } from '@tundish/diagnostics';
import { printable } from '@tundish/diagnostics';
import { chipLimits } from '@tundish/recipe/chips';
import type { BundleFile } from '@tundish/toolchain';
import type { BundlePlan } from './bundle-plan.js';
import { bundleError } from './errors.js';
import { gridOf } from './graph-cell.js';

/** Paths go into a shell script, a list of one path a line and a device: nothing in them may mean anything else. */
const PATH = /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/;

/** @throws TundishError GENIE_PLAN_INVALID */
export function checkPlan(plan: BundlePlan): void {
  for (const facts of breaches(plan)) throw bundleError('GENIE_PLAN_INVALID', facts);
}

/** @throws TundishError GENIE_PLAN_INVALID when a file that is made would have the name of another */
export function checkNames(plan: BundlePlan, made: readonly BundleFile[]): void {
  const doubled = [...givenPaths(plan), ...made.map(({ path }) => path)].find((path, index, all) => all.indexOf(path) !== index);
  if (doubled !== undefined) throw bundleError('GENIE_PLAN_INVALID', { what: `two files of the bundle are called ${doubled}` });
}

/** What the caller puts beside the files that are made. */
function givenPaths(plan: BundlePlan): string[] {
  return [...plan.parts.map(({ file }) => file), plan.tokenizer, ...plan.carried];
}

function* breaches(plan: BundlePlan): Iterable<ErrorFacts> {
  const { chip, compile, device } = plan;
  if (plan.parts.length === 0) yield { what: 'a bundle needs at least one part' };
  if (gridOf(plan.parts.flatMap(({ graphs }) => graphs)).ars.length === 0) yield { what: 'a bundle needs at least one graph with an attention_mask' };
  for (const path of givenPaths(plan)) {
    if (!PATH.test(path)) yield { what: `${printable(path)} cannot be a path in a bundle`, why: 'paths have letters, digits, dots, underscores, hyphens and forward slashes' };
  }
  if (!device.folder.startsWith('/') || !PATH.test(device.folder.slice(1))) yield { what: `${printable(device.folder)} cannot be the folder on the device`, why: 'it is absolute, with letters, digits, dots, underscores, hyphens and forward slashes' };
  if (!Number.isInteger(compile.vtcmMb) || compile.vtcmMb < 1 || compile.vtcmMb > chip.vtcmMb) yield { what: `${compile.vtcmMb} MiB of VTCM cannot be had on ${chip.name}`, why: `it has ${chip.vtcmMb}; the compiler would take any number`, fix: `use 1 to ${chip.vtcmMb}` };
  if (compile.weightSharing && !chipLimits(chip).weightSharing) yield { what: `graphs cannot share weights on ${chip.name}`, why: `it is v${chip.hexagon}; sharing begins with v73` };
}
