/** Tells Nx which code each stage of a model would run: Nx hashes no code of a plugin, and would replay what older code made. */
import { STAGE_NAMES } from '@tundish/recipe/lock';
import type { Lock, StageName } from '@tundish/recipe/lock';
import { CodeDigests, kernelDigest, stageModules } from '@tundish/stages/lock';
import { cacheRootOf } from '../environment.js';
import { nativeBuild } from '../plan/native-build.js';
import { environmentName } from './environment-name.js';

/** The environment variable that carries the digest of a stage's code; it is an input of the stage's targets. */
export function codeVariable(modelRoot: string, stage: StageName): string {
  return environmentName('CODE', `${modelRoot}/${stage}`);
}

/**
 * Sets the variables of every stage of the given models, by one walk over the code.
 *
 * @throws STAGE_CODE
 */
export async function announceCode(workspaceRoot: string, models: readonly { readonly root: string; readonly lock: Lock }[]): Promise<void> {
  if (models.length === 0) return;
  const { adapters } = await import('../adapters.js');
  const digests = new CodeDigests(cacheRootOf(workspaceRoot));
  // Where a target of this workspace builds the kernels, they may not be there yet: their file is an input of quantize then.
  const kernels = nativeBuild(workspaceRoot) === undefined ? await kernelDigest(digests) : '';
  for (const { root, lock } of models) {
    for (const stage of STAGE_NAMES) {
      const code = await digests.digest(stageModules(stage, lock.stages.convert.toolchain.name, adapters));
      process.env[codeVariable(root, stage)] = stage === 'quantize' ? `${code} ${kernels}` : code;
    }
  }
  await digests.save();
}
