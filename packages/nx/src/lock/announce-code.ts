/** Tells Nx which code each stage of a model would run, and on what: Nx hashes no code of a plugin and no processor, and would replay what others made. */
import { join } from 'node:path';
import { STAGE_NAMES } from '@tundish/recipe/lock';
import type { Lock, StageName } from '@tundish/recipe/lock';
import { CodeDigests, customModulePath, customModules, kernelDigest, stageModules } from '@tundish/stages/lock';
import type { Adapters } from '@tundish/stages/pipeline';
import { cacheRootOf } from '../environment.js';
import { nativeBuild } from '../plan/native-build.js';
import { environmentName } from './environment-name.js';

/** The environment variable that carries the digest of a stage's code; it is an input of the stage's targets. */
export function codeVariable(modelRoot: string, stage: string): string {
  return environmentName('CODE', `${modelRoot}/${stage}`);
}

/**
 * Sets the variables of every stage of the given models, by one walk over the code.
 *
 * @throws STAGE_CODE
 */
export async function announceCode(workspaceRoot: string, models: readonly { readonly root: string; readonly lock: Lock }[]): Promise<void> {
  if (models.length === 0) return;
  const { adapters } = await import('@tundish/cli/toolchains');
  const digests = new CodeDigests(cacheRootOf(workspaceRoot));
  // Where a target of this workspace builds the addon, it may not be there yet: its file is an input of these stages then.
  const built = nativeBuild(workspaceRoot) === undefined;
  const kernels = built ? await kernelDigest(digests) : '';
  const reference = (await adapters.reference().identity()).machine;
  for (const { root, lock } of models) {
    const { name } = lock.stages.convert.toolchain;
    const { machine, operators } = await identityOf(name, adapters);
    const known: Partial<Record<StageName, string>> = { quantize: `${reference} ${kernels}`, convert: built ? operators : '', compile: `${machine} ${built ? operators : ''} ${kernels}` };
    for (const stage of STAGE_NAMES) {
      const code = await digests.digest(stageModules(stage, name, adapters));
      process.env[codeVariable(root, stage)] = `${code} ${known[stage] ?? ''}`.trim();
    }
    for (const [stage, { use }] of Object.entries(lock.custom ?? {})) {
      process.env[codeVariable(root, stage)] = await digests.digest(customModules(await customModulePath(use, join(workspaceRoot, root))));
    }
  }
  await digests.save();
}

/** Where a toolchain is not installed nothing is built with it: whatever is said of it, its tasks say what is missing. */
async function identityOf(name: string, adapters: Adapters): Promise<{ readonly machine: string; readonly operators: string }> {
  return adapters.toolchain(name).identity().catch(() => ({ machine: '', operators: '' }));
}
