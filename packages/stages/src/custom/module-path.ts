/** Where the module of a custom stage lies. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stageError } from '../errors.js';

/** ECMAScript modules: what CommonJS requires cannot be followed. */
const MODULE = /\.m?[jt]s$/;

/**
 * Absolute path of `use`.
 *
 * @param root folder of the model project
 * @throws STAGE_CUSTOM_MISSING
 */
export async function customModulePath(use: string, root: string): Promise<string> {
  if (/^\.{0,2}\//.test(use)) return localFile(use, resolve(root, use));
  const { createJiti } = await import('jiti');
  const found = createJiti(pathToFileURL(join(root, 'recipe.yaml')).href, { fsCache: false }).esmResolve(use, { try: true });
  if (found !== undefined) return fileURLToPath(found);
  throw stageError('STAGE_CUSTOM_MISSING', { what: `the package ${use}, which is to be a stage, is not installed`, evidence: { path: root }, fix: `npm install ${use}, or write ./FILE.ts for a file beside the recipe` });
}

function localFile(use: string, path: string): string {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  if (isFile && MODULE.test(path)) return path;
  const why = isFile ? 'its name does not end in .ts, .mts, .js or .mjs' : 'there is no such file';
  throw stageError('STAGE_CUSTOM_MISSING', { what: `${use}, which is to be a stage, cannot be loaded`, why, evidence: { path }, fix: 'correct `use`: a path is relative to the recipe, and is written with the ending of its file' });
}
