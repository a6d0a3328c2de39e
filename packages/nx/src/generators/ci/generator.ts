/** Generator `ci`: a GitHub Actions workflow and a shell script that build the models on runners which share one cache. */
import { dirname } from 'node:path';
import { detectPackageManager, getPackageManagerCommand, readNxJson } from '@nx/devkit';
import type { Tree } from '@nx/devkit';
import { nxError } from '../../errors.js';
import { modelsGlobOf, optionsFromNxJson } from '../../plugin-options.js';
import { type CiGeneratorOptions, checkedChoices } from './choices.js';
import { isUntouched, withHeader } from './generated-file.js';
import { githubWorkflow } from './github-workflow.js';
import { shellScript } from './shell-script.js';

export const WORKFLOW_FILE = '.github/workflows/tundish.yml';
export const SCRIPT_FILE = 'ci/tundish.sh';

/** @throws NX_OPTION; NX_CI_CHANGED for a file that somebody has edited, with nothing written */
export default function ciGenerator(tree: Tree, options: CiGeneratorOptions): void {
  const { ci = 'both', force = false } = options;
  const nxJson = readNxJson(tree) ?? {};
  const manager = detectPackageManager(tree.root);
  const choices = checkedChoices(options, {
    branch: nxJson.defaultBase ?? 'main',
    install: getPackageManagerCommand(manager, tree.root).ciInstall ?? 'npm ci',
    corepack: manager === 'pnpm' || manager === 'yarn',
    containers: `${dirname(modelsGlobOf(optionsFromNxJson(nxJson)))}/artifacts/container`,
  });
  const files = [
    ...(ci === 'shell' ? [] : [{ path: WORKFLOW_FILE, text: withHeader(githubWorkflow(choices)), mode: '644' }]),
    ...(ci === 'github' ? [] : [{ path: SCRIPT_FILE, text: withHeader(shellScript(choices), '#!/bin/sh\n'), mode: '755' }]),
  ];
  const edited = files.filter(({ path }) => !force && tree.exists(path) && !isUntouched(tree.read(path, 'utf8') ?? ''));
  if (edited.length > 0) throw changedSince(edited.map(({ path }) => path));
  for (const { path, text, mode } of files) {
    if (tree.exists(path) && tree.read(path, 'utf8') === text) console.log(`${path} is up to date`);
    else tree.write(path, text, { mode });
  }
}

function changedSince(paths: readonly string[]): Error {
  return nxError('NX_CI_CHANGED', {
    what: `${paths.join(' and ')} would be overwritten, with changes that were made by hand`,
    evidence: { path: paths[0] as string },
    fix: 'keep your file and move what you changed into the new one with --force; git shows the difference',
  });
}
