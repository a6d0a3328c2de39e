/** Generator `lock`: writes recipe.lock.json of one model or of all. */
import { readNxJson } from '@nx/devkit';
import type { Tree } from '@nx/devkit';
import { printable } from '@tundish/diagnostics';
import { encodeLock } from '@tundish/recipe/lock';
import { nxError } from '../../errors.js';
import { resolveModel } from '../../lock/resolve-model.js';
import { LOCK_FILE, findModelFolders } from '../../model-folders.js';
import { modelsGlobOf, optionsFromNxJson } from '../../plugin-options.js';

export interface LockGeneratorOptions {
  readonly model?: string;
}

/** @throws the fault of a recipe; NX_OPTION when no model has the name */
export default async function lockGenerator(tree: Tree, options: LockGeneratorOptions): Promise<void> {
  const models = findModelFolders(tree.root, modelsGlobOf(optionsFromNxJson(readNxJson(tree) ?? {})));
  const wanted = options.model === undefined ? models : models.filter(({ name }) => name === options.model);
  if (wanted.length === 0) throw unknownModel(options.model, models.map(({ name }) => name));
  for (const model of wanted) {
    const { lock, problem } = await resolveModel(tree.root, model, true);
    if (problem !== undefined) throw problem;
    const path = `${model.root}/${LOCK_FILE}`;
    const text = new TextDecoder().decode(encodeLock(lock));
    if (!tree.exists(path) || tree.read(path, 'utf8') !== text) tree.write(path, text);
    else console.log(`${path} is up to date`);
  }
}

function unknownModel(wanted: string | undefined, known: readonly string[]): Error {
  return nxError('NX_OPTION', {
    what: wanted === undefined ? 'this workspace has no model project' : `no model project is called ${printable(wanted)}`,
    fix: known.length > 0 ? `models here: ${known.join(', ')}` : 'make one: npx nx g @tundish/nx:model NAME --checkpoint DIR',
  });
}
