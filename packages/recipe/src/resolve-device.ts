/** Options of `compile` and `package` with their defaults, by toolchain and chip. */
import { chipsOf } from './check-device.js';
import { chipLimits } from './chips/chip.js';
import { recipeError } from './errors.js';
import type { LockStages } from './lock.js';
import type { GraphPlan } from './plan.js';
import type { RecipeFile } from './recipe-file.js';
import type { Recipe } from './schema.js';

export function resolveCompile(file: RecipeFile): LockStages['compile']['options'] {
  const { compile, toolchain } = file.recipe;
  if (toolchain === 'host') return { prepack: compile.prepack ?? true };
  const { vtcmMb, weightSharing, optimizationLevel = 3, dlbc = false, hvxThreads } = compile;
  return {
    chips: chipsOf(file.recipe, file, file.path).map((chip) => ({ name: chip.name, vtcmMb: vtcmMb ?? chip.vtcmMb, weightSharing: weightSharing ?? chipLimits(chip).weightSharing })),
    optimizationLevel,
    ...(hvxThreads === undefined ? {} : { hvxThreads }),
    dlbc,
  };
}

export function resolvePackage({ toolchain, package: given }: Recipe): LockStages['package']['options'] {
  if (toolchain === 'host') return {};
  const { profile = 'burst', domain = 'unsigned', spillFillMb = 0, stopSequences = [], system, folder } = given;
  return { profile, domain, ...(system === undefined ? {} : { system }), ...(folder === undefined ? {} : { folder }), spillFillMb, stopSequences };
}

/** @throws RECIPE_DEVICE for shapes that the vendor's runtime takes for others */
export function checkContexts(file: RecipeFile, { ar, cl }: GraphPlan): void {
  if (file.recipe.toolchain !== 'qairt') return;
  const [tokens, length] = ar.flatMap((count) => cl.filter((positions) => positions === 2 * count).map((positions) => [count, positions] as const))[0] ?? [];
  if (tokens === undefined) return;
  throw recipeError('RECIPE_DEVICE', {
    what: `graphs has cl ${length} with ar ${tokens}, which is twice as much`,
    why: 'the vendor\'s runtime generates wrong tokens from such graphs, and says nothing',
    evidence: { path: file.path, ...file.locate(['graphs']) },
    fix: `take another cl than ${length}, or another ar than ${tokens}`,
  });
}
